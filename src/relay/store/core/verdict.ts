/** What a check of a whole store found. */
export interface StoreVerdict {
  readonly ok: boolean
  /** What is wrong and where; the first 100. They name streams and counts, never an event's data. */
  readonly problems: readonly string[]
  /** What was looked at. */
  readonly streams: number
  readonly eventsOnTheWay: number
}
