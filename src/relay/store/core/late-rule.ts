import type { PlacedEvent } from './chunk-format.ts'

/** The lane for events with a time before beforeMs. */
export interface LateRule {
  readonly lane: string
  readonly beforeMs: number
}

/** Whether the event belongs into that lane. */
export function isLate({ event }: PlacedEvent, { beforeMs }: LateRule): boolean {
  return event.atMs < beforeMs
}
