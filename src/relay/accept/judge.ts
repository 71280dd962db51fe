import type { Meter } from '../../meter/contract.ts'
import type { Rejection, WireBatch } from '../../wire/contract.ts'
import type { Claims } from '../claims.ts'
import type { AcceptableEvent } from '../store/contract.ts'
import { type Deferred, type EventLimits, judgeEvent, type Verdict } from './judge-event.ts'
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
  readonly deferred: Deferred[]
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
    const places = createPlaces(segment, recorded)
    for (let index = 0; index < events.length; index++) {
      const misplaced = places.refuse(index)
      if (misplaced !== undefined) {
        judgement.rejected.push(misplaced)
        continue
      }
      const { stream } = places
      const seq = places.first + index
      const verdict = judgeEvent(events[index], stream, seq, eventContext)
      // Awaiting only what is asynchronous keeps a batch of thousands cheap.
      enter(judgement, verdict instanceof Promise ? await verdict : verdict, stream, seq)
    }
  }
  return judgement
}

function enter(judgement: Judgement, verdict: Verdict, stream: string, seq: number): void {
  if ('data' in verdict) judgement.events.push(verdict)
  else if ('code' in verdict) {
    const { code, detail } = verdict
    judgement.rejected.push({ stream, seq, code, detail })
    judgement.refused.push({ stream, seq })
  } else judgement.deferred.push(verdict)
}
