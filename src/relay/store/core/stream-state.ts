import type { Range, StreamReport, WireClock } from '../../../wire/contract.ts'
import { addRange, covers, rangeCount } from '../../../wire/ranges.ts'
import { subtractRange, touches } from './range-tools.ts'

/** Counts by reason or code. */
export type Tally = Readonly<Record<string, number>>

/** What the store knows of one stream of one account. */
export interface StreamState {
  readonly tenant: string
  readonly account: string
  readonly stream: string
  readonly device: string
  readonly recorded: number
  readonly declared: Tally
  readonly refused: Tally
  /** Numbers received. */
  readonly held: readonly Range[]
  /** Numbers refused and not received since. */
  readonly refusedRanges: readonly Range[]
  readonly clock?: WireClock
  readonly forwarded: number
  readonly dead: number
  readonly discarded: number
  readonly deduplicated: number
  readonly onHold: number
  readonly firstSeenMs: number
  readonly lastSeenMs: number
}

/** The ledger's equation: recorded = received + declared + rejected + missing. */
export interface Balance {
  readonly recorded: number
  readonly received: number
  readonly declared: number
  readonly rejected: number
  readonly missing: number
}

/** A client may invent reasons; a row has room for so many. */
const MAX_REASONS = 32
const OTHER = 'other'

/** Merges what the owner says; reports may come late or twice, so each counter keeps its highest value. */
export function mergeReport(state: StreamState, report: StreamReport): StreamState {
  return {
    ...state,
    recorded: Math.max(state.recorded, report.recorded),
    declared: mergeTally(state.declared, report.dropped),
    refused: mergeTally(state.refused, report.refused ?? {}),
  }
}

function mergeTally(known: Tally, reported: Tally): Tally {
  const merged = new Map(Object.entries(known))
  let other = 0
  for (const [reason, count] of Object.entries(reported)) {
    const before = merged.get(reason)
    if (before !== undefined || merged.size < MAX_REASONS) merged.set(reason, Math.max(before ?? 0, count))
    else other += count
  }
  if (other > 0) merged.set(OTHER, Math.min(Math.max(merged.get(OTHER) ?? 0, other), Number.MAX_SAFE_INTEGER))
  return Object.fromEntries(merged)
}

/**
 * Receives the run `[from, to]`: `added` are the numbers that were new. Undefined when it would start one more range
 * than `maxRanges`; a run that touches a range is always taken.
 */
export function receiveRun(
  state: StreamState,
  [from, to]: Range,
  maxRanges: number,
): { state: StreamState; added: Range[] } | undefined {
  if (state.held.length >= maxRanges && !touches(state.held, from, to)) return undefined
  const { ranges, added } = addRange(state.held, from, to)
  let { refusedRanges } = state
  if (refusedRanges.length > 0) for (const [low, high] of added) refusedRanges = subtractRange(refusedRanges, low, high)
  return { state: { ...state, recorded: raise(state.recorded, to), held: ranges, refusedRanges }, added }
}

/**
 * Notes that a number was refused, unless it is held. A number that would need one more range than `maxRanges` is not
 * noted: the ledger then shows it as missing.
 */
export function refuseNumber(state: StreamState, seq: number, maxRanges: number): StreamState {
  if (!Number.isSafeInteger(seq) || seq < 0 || covers(state.held, seq)) return state
  if (state.refusedRanges.length >= maxRanges && !touches(state.refusedRanges, seq, seq)) return state
  const { ranges } = addRange(state.refusedRanges, seq, seq)
  return { ...state, recorded: raise(state.recorded, seq), refusedRanges: ranges }
}

/** Who sends number n has recorded n + 1 numbers, whatever the report says. */
function raise(recorded: number, seq: number): number {
  return Math.max(recorded, Math.min(seq + 1, Number.MAX_SAFE_INTEGER))
}

/** Declared numbers that arrived after all count as received only, so that nothing is counted twice. */
export function balance(state: StreamState): Balance {
  const received = rangeCount(state.held)
  const rejected = rangeCount(state.refusedRanges)
  const room = Math.max(0, state.recorded - received - rejected)
  const declared = Math.min(room, sum(state.declared))
  return { recorded: state.recorded, received, declared, rejected, missing: room - declared }
}

/** The declared counts by reason, cut to `room` in all. */
export function declaredWithin(tally: Tally, room: number): Tally {
  let left = room
  const entries = Object.entries(tally).map(([reason, count]): [string, number] => {
    const counted = Math.min(left, count)
    left -= counted
    return [reason, counted]
  })
  return Object.fromEntries(entries)
}

function sum(tally: Tally): number {
  return Object.values(tally).reduce((total, count) => total + count, 0)
}
