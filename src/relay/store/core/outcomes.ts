import type { HourRow } from '../contract.ts'

/** Events of one stream and meter to which the same happened. */
export interface Credit {
  readonly tenant: string
  readonly account: string
  readonly stream: string
  readonly meter: string
  readonly count: number
}

/** What can become of a received event. */
export type Outcome = 'forwarded' | 'dead' | 'discarded' | 'deduplicated' | 'on_hold'

export type HourChange = Partial<Pick<HourRow, 'received' | 'forwarded' | 'importFailed' | 'dead' | 'deduplicated'>>

/** What the change is called in the ledger by hour. Forwarding that failed later is counted apart: it did happen. */
export function hourly(outcome: Outcome, sign: 1 | -1): keyof HourChange | undefined {
  if (outcome === 'discarded' || outcome === 'on_hold') return undefined
  return outcome === 'forwarded' && sign < 0 ? 'importFailed' : outcome
}
