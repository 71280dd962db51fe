import type { Claim, ClaimOptions, Outbox, Settlement } from '../../src/outbox/contract.ts'
import { eventText } from '../support/usage-owner.ts'

/** One home of an outbox, empty when a test gets it. */
export interface OutboxHome {
  readonly outbox: Outbox
  /** Closes it and opens it again over what is stored; absent where nothing outlives close(). */
  readonly reopen?: () => Promise<Outbox>
}

export const NOW = 1_700_000_000_000
export const CLAIM_ALL: ClaimOptions = {
  accountTag: 'acme',
  maxBytes: Number.POSITIVE_INFINITY,
  maxEvents: Number.POSITIVE_INFINITY,
  nowMs: NOW,
  leaseMs: 0,
}

export function numbersOf(claim: Claim | undefined): string[] {
  return (claim?.segments ?? []).map(({ stream, first, count }) => `${stream.at(-1)}:${first}+${count}`)
}

export function received(claim: Claim, nowMs: number = NOW): Settlement {
  const ranges: Record<string, [number, number][]> = {}
  for (const { stream, first, count } of claim.segments) {
    ranges[stream] = [...(ranges[stream] ?? []), [first, first + count - 1]]
  }
  return { claim, received: ranges, rejected: [], deferred: [], nowMs }
}

export function nothing(claim: Claim): Settlement {
  return { claim, received: {}, rejected: [], deferred: [], nowMs: NOW }
}

/** The claim's events rejected, those whose numbers are given, in every stream of the claim. */
export function rejecting(claim: Claim, ...seqs: number[]): Settlement {
  const streams = [...new Set(claim.segments.map(({ stream }) => stream))]
  const rejected = streams.flatMap((stream) =>
    seqs.map((seq) => ({ stream, seq, code: 'unknown_meter', detail: 'No such meter.' })),
  )
  return { ...nothing(claim), rejected }
}

export function events(count: number, note = 'e'): string[] {
  return Array.from({ length: count }, (_, index) => eventText(`${note}${index}`))
}

/** @throws when there is nothing to claim. */
export async function claimOf(outbox: Outbox, options: Partial<ClaimOptions> = {}): Promise<Claim> {
  const claim = await outbox.claim({ ...CLAIM_ALL, ...options })
  if (!claim) throw new Error('nothing to claim')
  return claim
}

/** recorded − settled − dead − dropped of every stream, added up: what waits, by the equation. */
export async function waitingByEquation(outbox: Outbox): Promise<number> {
  let waiting = 0
  for (const { recorded, settled, dead, dropped } of await outbox.streams()) {
    waiting += recorded - settled - dead - Object.values(dropped).reduce((sum, count) => sum + count, 0)
  }
  return waiting
}
