/** Tokens that many processes draw calls from, one bucket for each span of the upstream's limits. */
export interface CallBucket {
  readonly name: string
  /** Most that can be drawn at once. */
  readonly capacity: number
  /** Refill, calls per ms. */
  readonly perMs: number
}

/** A budget of upstream calls that many processes share. */
export interface CallSource {
  /** As many of the wanted calls as may be made now, 0 too; then waitMs says when to ask again. */
  take(want: number): Promise<{ readonly calls: number; readonly waitMs: number }>
  /** The upstream said that the limit is used up: nobody takes any for so long. */
  hold(ms: number): Promise<void>
  /** How long a hold still lasts, ms; 0: there is none. Absent where it costs as much as take(). */
  heldMs?(): Promise<number>
}
