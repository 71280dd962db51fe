/** Whom a batch is from, as the verified token says; never the body. */
export interface Claims extends Owner {
  readonly tenant: string
}

/** Whom a grant, a session and a token are for. */
export interface Owner {
  /** Who is billed. */
  readonly account: string
  readonly device: string
  /** Meters that may be recorded; an empty list means none. */
  readonly meters: readonly string[]
  /** Requests that the device may send, per minute. Without it the relay's own limit holds. */
  readonly ratePerMinute?: number
}
