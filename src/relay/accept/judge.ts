import type { Meter } from '../../meter/contract.ts'
import type { Rejection, WireBatch } from '../../wire/contract.ts'
import type { Claims } from '../claims.ts'
import { createPacker, type Packer } from '../event-pack.ts'
import type { AcceptableEvent, EventPack } from '../store/contract.ts'
import type { DataVerdict } from './judge-data.ts'
import { type EventLimits, type GoodEvent, judgeEvent } from './judge-event.ts'
import { createPlaces, recordedByStream, type StreamSeq } from './judge-place.ts'

export interface JudgeContext {
  readonly claims: Claims
  readonly meters: ReadonlyMap<string, Meter>
  readonly limits: EventLimits
  readonly nowMs: number
}

export interface Judgement {
  /** Events with an idempotency key. */
  readonly events: readonly AcceptableEvent[]
  /** All others that are good, for each meter. */
  readonly packs: readonly EventPack[]
  /** Every refused event, for the answer. */
  readonly rejected: readonly Rejection[]
  /** Those of `rejected` whose number their stream did give out: the ledger counts them. */
  readonly refused: readonly StreamSeq[]
  /** Events that cannot be judged now, since their meter's schema failed: the client keeps them and sends them again. */
  readonly deferred: readonly (StreamSeq & { readonly meter: string })[]
}

/**
 * Gives every event of a batch its own verdict, so that one bad event never costs its batch.
 * Pure but for the meters' schemas, which are awaited when they are asynchronous.
 *
 * Codes: bad_stream, unknown_stream, bad_sequence, sequence_beyond_recorded, bad_event, unknown_meter,
 * meter_not_allowed, bad_time, too_old, too_far_ahead, bad_idempotency_key, too_deep, forbidden_key, too_many_keys,
 * string_too_long, event_too_large, invalid_data.
 *
 * @example const { packs, rejected } = await judge(batch, { claims, meters, limits, nowMs: Date.now() })
 */
export async function judge(batch: WireBatch, context: JudgeContext): Promise<Judgement> {
  const { meters, limits, nowMs } = context
  const eventContext = { meters, limits, nowMs, allowed: new Set(context.claims.meters) }
  const recorded = recordedByStream(batch.streams)
  const desk = createDesk()
  for (const segment of batch.segments) {
    const { events } = segment
    const places = createPlaces(segment, recorded)
    for (let index = 0; index < events.length; index++) {
      const misplaced = places.refuse(index)
      if (misplaced !== undefined) {
        desk.turnAway(misplaced)
        continue
      }
      const event = events[index]
      const verdict = judgeEvent(event, eventContext)
      // Awaiting only what is asynchronous keeps a batch of thousands cheap.
      const settled = verdict instanceof Promise ? await verdict : verdict
      desk.enter(places.stream, places.first + index, event as GoodEvent, settled)
    }
  }
  return desk.close()
}

/** Where verdicts are gathered. */
function createDesk() {
  const events: AcceptableEvent[] = []
  const rejected: Rejection[] = []
  const refused: StreamSeq[] = []
  const deferred: (StreamSeq & { meter: string })[] = []
  const packers = new Map<string, Packer>()

  function packerOf(meter: string): Packer {
    const known = packers.get(meter)
    if (known !== undefined) return known
    const packer = createPacker()
    packers.set(meter, packer)
    return packer
  }

  return {
    turnAway(misplaced: Rejection): void {
      rejected.push(misplaced)
    },
    enter(stream: string, seq: number, event: GoodEvent, verdict: DataVerdict): void {
      if (typeof verdict === 'string') {
        const [meter, atMs, , idempotencyKey] = event
        if (event.length === 3) packerOf(meter).add(stream, seq, atMs, verdict)
        else events.push({ stream, seq, meter, atMs, data: verdict, idempotencyKey: idempotencyKey as string })
      } else if (verdict === undefined) {
        deferred.push({ stream, seq, meter: event[0] })
      } else {
        rejected.push({ stream, seq, code: verdict.code, detail: verdict.detail })
        refused.push({ stream, seq })
      }
    },
    close(): Judgement {
      const packs = [...packers].map(([meter, packer]) => ({ meter, ...packer.done() }))
      return { events, packs, rejected, refused, deferred }
    },
  }
}
