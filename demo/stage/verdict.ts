import * as z from 'zod'
import type { Ledger } from '../../src/zuora-stand-in/contract.ts'
import { METER_ROUTES, meterIdOf } from '../world/meter-routes.ts'
import type { OutboxStream, Verdict } from './contract.ts'

const count = z.int().nonnegative()
const relayStream = z.object({
  stream: z.string(),
  recorded: count,
  received: count,
  forwarded: count,
  dead: count,
  discarded: count,
})
/** The relay's answer to `GET /v1/ledger`. */
export const relayLedger = z.object({ streams: z.array(relayStream) })
export type RelayStream = z.infer<typeof relayStream>

export interface Evidence {
  /** Looked at first, so that what left one holder since has come to the next. */
  readonly outbox: readonly OutboxStream[]
  /** Looked at second: what the relay said last; of a relay that is dead, what it said before. */
  readonly relay: ReadonlyMap<string, RelayStream>
  readonly isRelayKnown: boolean
  /** Looked at last: how many of the stream's first `recorded` events are billable. */
  readonly countBilled: (stream: string, recorded: number) => number
  readonly doubled: number
}

/**
 * Holds the three ledgers against each other. Missing is what nobody has: acknowledged to the browser but not received,
 * or forwarded but not billable.
 */
export function judge({ outbox, relay, isRelayKnown, countBilled, doubled }: Evidence): Verdict {
  const sum = { recorded: 0, billed: 0, waitingHere: 0, dead: 0, dropped: 0, missing: 0 }
  for (const { id, settled, dead, dropped, ...stream } of outbox) {
    const row = relay.get(id)
    // The stream may have gone on since the browser looked.
    const recorded = Math.max(stream.recorded, row?.recorded ?? 0)
    const billed = countBilled(id, recorded)
    sum.recorded += recorded
    sum.billed += billed
    sum.waitingHere += stream.recorded - settled - dead - dropped
    sum.dead += dead + (row?.dead ?? 0) + (row?.discarded ?? 0)
    sum.dropped += dropped
    const lostBefore = settled - (row?.received ?? 0)
    const lostAfter = (row?.forwarded ?? 0) - billed
    if (isRelayKnown) sum.missing += Math.max(0, lostBefore) + Math.max(0, lostAfter)
  }
  const waiting = Math.max(0, sum.recorded - sum.billed - sum.dead - sum.dropped - sum.missing)
  const waitingHere = Math.min(sum.waitingHere, waiting)
  const missing = isRelayKnown ? sum.missing : undefined
  return { ...sum, waitingHere, waitingRelay: waiting - waitingHere, doubled, missing }
}

/** Counts by event id, so that the figure is evidence. What has arrived is not looked up again. */
export function createBilledCounter(ledger: Ledger): (stream: string, recorded: number) => number {
  const arrived = new Map<string, Set<number>>()
  const meterIds = METER_ROUTES.map(({ meter }) => meterIdOf(meter.name))
  return (stream, recorded) => {
    const known = arrived.get(stream) ?? new Set()
    arrived.set(stream, known)
    for (let seq = 0; known.size < recorded && seq < recorded; seq++) {
      if (!known.has(seq) && meterIds.some((id) => ledger.has(id, `${stream}-${seq}`))) known.add(seq)
    }
    return known.size
  }
}
