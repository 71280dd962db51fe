/** What the product's back end and its page say to each other. */

/** `GET /api/session` and `POST /api/login`. */
export interface SessionInfo {
  /** Null: nobody is logged in. */
  readonly user: { readonly name: string; readonly account: string } | null
  /** The relay's address for createAgent(). */
  readonly relay: string
  /** The outbox's name: one for each world, as the relay behind it may have forgotten an earlier one. */
  readonly outbox: string
}

/** One stream of the account, from the relay's ledger and from the upstream. */
export interface LedgerStream {
  readonly stream: string
  readonly recorded: number
  readonly received: number
  readonly forwarded: number
  /** Events of the stream that are billable in the Zuora stand-in, looked up one by one by their ids. */
  readonly upstream: number
  readonly missing: number
}

/** `GET /api/ledger`. */
export interface LedgerInfo {
  /** Newest first. */
  readonly streams: readonly LedgerStream[]
  readonly totals: Omit<LedgerStream, 'stream'>
  /** What Zuora holds by meter, all customers together. */
  readonly meters: readonly { readonly meter: string; readonly events: number; readonly quantity: string }[]
  /** When the cable to the relay is whole again, ms since 1970; null while it is. */
  readonly cutUntilMs: number | null
}
