import type { Meter } from '../../meter/contract.ts'
import type { Rejection, WireBatch } from '../../wire/contract.ts'
import type { Claims } from '../claims.ts'
import type { AcceptableEvent } from '../store/contract.ts'
import { type EventLimits, judgeEvent, type Verdict } from './judge-event.ts'
import { createPlaces, recordedByStream, type StreamSeq } from './judge-place.ts'

export interface JudgeContext {
  readonly claims: Claims
  readonly meters: ReadonlyMap<string, Meter>
  readonly limits: EventLimits
  readonly nowMs: number
}

export interface Judgement {
  readonly events: AcceptableEvent[]
  /** Every refused event, for the answer. */
  readonly rejected: Rejection[]
  /** Those of `rejected` whose number their stream did give out: the ledger counts them. */
  readonly refused: StreamSeq[]
  /** Events that cannot be judged now, since their meter's schema failed: the client keeps them and sends them again. */
  readonly deferred: (StreamSeq & { readonly meter: string })[]
}

/**
 * Gives every event of a batch its own verdict, so that one bad event never costs its batch.
 * Pure but for the meters' schemas, which are awaited when they are asynchronous.
 *
 * Codes: bad_stream, unknown_stream, bad_sequence, sequence_beyond_recorded, bad_event, unknown_meter,
 * meter_not_allowed, bad_time, too_old, too_far_ahead, bad_idempotency_key, too_deep, forbidden_key, too_many_keys,
 * string_too_long, event_too_large, invalid_data.
 *
 * @example const { events, rejected } = await judge(batch, { claims, meters, limits, nowMs: Date.now() })
 */
export async function judge(batch: WireBatch, context: JudgeContext): Promise<Judgement> {
  const { meters, limits, nowMs } = context
  const eventContext = { meters, limits, nowMs, allowed: new Set(context.claims.meters) }
  const recorded = recordedByStream(batch.streams)
  const judgement: Judgement = { events: [], rejected: [], refused: [], deferred: [] }
  for (const segment of batch.segments) {
    const { events } = segment
    const placeOf = createPlaces(segment, recorded)
    for (let index = 0; index < events.length; index++) {
      const place = placeOf(index)
      if ('code' in place) {
        judgement.rejected.push(place)
        continue
      }
      const verdict = judgeEvent(events[index], eventContext)
      // Awaiting only what is asynchronous keeps a batch of thousands cheap.
      enter(judgement, place, verdict instanceof Promise ? await verdict : verdict)
    }
  }
  return judgement
}

function enter(judgement: Judgement, place: StreamSeq, verdict: Verdict): void {
  if (verdict.kind === 'accept') {
    const { stream, seq } = place
    const { meter, atMs, data, key } = verdict
    const event = { stream, seq, meter, atMs, data }
    judgement.events.push(key === undefined ? event : { ...event, idempotencyKey: key })
  } else if (verdict.kind === 'defer') {
    judgement.deferred.push({ ...place, meter: verdict.meter })
  } else {
    judgement.rejected.push({ ...place, code: verdict.code, detail: verdict.detail })
    judgement.refused.push(place)
  }
}
