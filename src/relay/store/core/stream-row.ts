import type { AcceptRequest, LedgerRow } from '../contract.ts'
import { balance, declaredWithin, type StreamState } from './stream-state.ts'

/** A stream as it is stored; tallies, ranges and the clock are JSON. */
export interface StreamRow {
  account: string
  stream: string
  tenant: string
  device: string
  recorded: number
  forwarded: number
  dead: number
  discarded: number
  deduplicated: number
  on_hold: number
  first_seen_ms: number
  last_seen_ms: number
  declared: string
  refused: string
  held: string
  refused_ranges: string
  clock: string | null
}

/** lastSeenMs of a stream that has no row yet. */
export const NEVER = -1
const NO_OUTCOMES = { forwarded: 0, dead: 0, discarded: 0, deduplicated: 0, onHold: 0 }

/** A stream that nobody has heard of yet. */
export function newState(
  { tenant, account, device, receivedAtMs }: Pick<AcceptRequest, 'tenant' | 'account' | 'device' | 'receivedAtMs'>,
  stream: string,
): StreamState {
  const counts = { recorded: 0, declared: {}, refused: {}, held: [], refusedRanges: [], ...NO_OUTCOMES }
  return { tenant, account, stream, device, ...counts, firstSeenMs: receivedAtMs, lastSeenMs: NEVER }
}

export function toState(row: StreamRow): StreamState {
  const { tenant, account, stream, device, recorded, forwarded, dead, discarded, deduplicated } = row
  return {
    ...{ tenant, account, stream, device, recorded, forwarded, dead, discarded, deduplicated, onHold: row.on_hold },
    declared: JSON.parse(row.declared),
    refused: JSON.parse(row.refused),
    held: JSON.parse(row.held),
    refusedRanges: JSON.parse(row.refused_ranges),
    ...(row.clock === null ? {} : { clock: JSON.parse(row.clock) }),
    firstSeenMs: row.first_seen_ms,
    lastSeenMs: row.last_seen_ms,
  }
}

export function toLedgerRow(state: StreamState): LedgerRow {
  const { tenant, account, device, stream, refused, firstSeenMs, lastSeenMs } = state
  const { forwarded, dead, discarded, deduplicated, onHold: held } = state
  const { declared, ...counts } = balance(state)
  return {
    ...{ tenant, account, device, stream, ...counts },
    declared: declaredWithin(state.declared, declared),
    ...{ refused, forwarded, dead, discarded, deduplicated, held, firstSeenMs, lastSeenMs },
    ...(state.clock === undefined ? {} : { clock: state.clock }),
  }
}
