/** What the product's back end and its page say to each other. */

/** `GET /api/session` and `POST /api/login`. */
export interface SessionInfo {
  /** Null: nobody is signed in. */
  readonly user: SignedIn | null
  /** The relay's address for createAgent(). */
  readonly relay: string
  /** The outbox's name: one for each world, as the relay behind it may have forgotten an earlier one. */
  readonly outbox: string
}

export interface SignedIn {
  readonly name: string
  readonly company: string
  /** Who gets the bill. */
  readonly account: string
}

/** What Zuora would bill the account for one meter. */
export interface BillLine {
  readonly meter: string
  readonly events: number
  readonly quantity: number
}

/** `GET /api/bill`: the account's billable rows in Zuora's stand-in. */
export interface BillInfo {
  readonly lines: readonly BillLine[]
}
