import { type Meter, STREAM_ID } from '../../meter/contract.ts'
import type { Deferral, Range, WireAnswer, WireBatch } from '../../wire/contract.ts'
import { covers } from '../../wire/ranges.ts'
import type { Claims } from '../claims.ts'
import type { DeliveryPolicy, RelayLimits } from '../contract.ts'
import { eventCount, metersOf } from '../event-pack.ts'
import type { DailyCap } from '../limits/daily-cap.ts'
import type { Log } from '../log.ts'
import type { Instruments } from '../operate/instruments.ts'
import { inSpan, type Tracer } from '../operate/tracing.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import type { AcceptRequest, AcceptResult, RelayStore } from '../store/contract.ts'
import { type Judgement, judge } from './judge.ts'
import type { StreamSeq } from './judge-place.ts'

export interface AcceptBatchDeps {
  readonly store: Pick<RelayStore, 'accept'>
  readonly meters: ReadonlyMap<string, Meter>
  readonly limits: RelayLimits
  /** Told with every answer. Default: none. */
  readonly policy?: DeliveryPolicy | undefined
  readonly clock: () => number
  readonly log: Log
  readonly instruments: Pick<Instruments, 'batch'>
  readonly tracer: Tracer
  readonly cap: DailyCap
  /** Told how long a commit took. */
  readonly onCommit: (durationMs: number) => void
  /** Tells the forwarder that a meter's lane has new events. */
  readonly wake: (lane: string) => void
}

export type AcceptBatch = (batch: WireBatch, claims: Claims) => Promise<WireAnswer>

/** How long a client keeps an event whose meter's schema failed before it sends it again. */
const SCHEMA_RETRY_MS = 60_000

/**
 * Makes the function that judges a batch, stores what is good in one transaction and answers.
 * When the store fails nothing is acknowledged: HttpProblem unavailable, with Retry-After.
 */
export function createAcceptBatch(deps: AcceptBatchDeps): AcceptBatch {
  const { clock, log, instruments, wake, policy } = deps
  const wishes = policy === undefined ? {} : { policy }
  const commit = createCommit(deps)

  function isOnHold(claims: Claims): Promise<boolean> {
    return deps.cap.isReached(claims).catch((error: unknown) => {
      log('error', 'store_failed', { error })
      throw storeFailed()
    })
  }

  /** Nothing of the batch itself is held while the store writes: what was parsed is the most of a request's memory. */
  async function accept({ judgement, streams, clockEvidence, nowMs }: Judged, claims: Claims): Promise<WireAnswer> {
    if (judgement.deferred.length > 0) logSchemaFailures(judgement, log)
    const { tenant, account, device } = claims
    const { events, packs, refused } = judgement
    const owner = { tenant, account, device, receivedAtMs: nowMs }
    const hold = await isOnHold(claims)
    const result = await commit({ ...owner, streams, events, packs, refused, hold, ...clockEvidence })
    deps.cap.note(claims, result.stored + result.deduplicated)
    if (result.stored > 0 && !hold) for (const lane of metersOf(judgement)) wake(lane)
    const reply = { ...answer(judgement, result, clock()), ...wishes }
    instruments.batch({
      stored: result.stored,
      duplicates: result.duplicates,
      deferred: judgement.deferred.length,
      rejectedByCode: countByCode(reply),
    })
    return reply
  }

  return (batch, claims) => judgeBatch(batch, claims, deps).then((judged) => accept(judged, claims))
}

/** What is left of a batch once it is judged. */
interface Judged extends Pick<WireBatch, 'streams'> {
  readonly judgement: Judgement
  readonly clockEvidence: Pick<AcceptRequest, 'clock'>
  readonly nowMs: number
}

async function judgeBatch(batch: WireBatch, claims: Claims, deps: AcceptBatchDeps): Promise<Judged> {
  const { meters, limits, clock, tracer } = deps
  const nowMs = clock()
  const judgement = await inSpan(tracer, 'metertap.judge', 'internal', () =>
    judge(batch, { claims, meters, limits, nowMs }),
  )
  const streams = batch.streams.filter(({ id }) => STREAM_ID.test(id))
  return { judgement, streams, clockEvidence: batch.clock === undefined ? {} : { clock: batch.clock }, nowMs }
}

function createCommit(deps: AcceptBatchDeps): (request: AcceptRequest) => Promise<AcceptResult> {
  const { store, clock, log, tracer, onCommit } = deps
  return (request) =>
    inSpan(tracer, 'metertap.commit', 'internal', async (span) => {
      span.setAttribute('metertap.events', eventCount(request))
      const begunMs = clock()
      try {
        const result = await store.accept(request)
        onCommit(Math.max(0, clock() - begunMs))
        return result
      } catch (error) {
        if (error instanceof HttpProblem) throw error
        log('error', 'store_failed', { error })
        throw storeFailed()
      }
    })
}

function storeFailed(): HttpProblem {
  return unavailable('The store cannot write now, nothing was taken: send the same batch again.')
}

function answer(judgement: Judgement, result: AcceptResult, serverTime: number): WireAnswer {
  // What the store holds is held, whatever is thought of the event today: a lost answer's retry may have become too old.
  const isOpen = ({ stream, seq }: StreamSeq): boolean => !covers(result.received[stream] ?? [], seq)
  return {
    received: Object.fromEntries(Object.entries(result.received).map(([id, ranges]) => [id, ranges.map(toPair)])),
    rejected: [...judgement.rejected, ...result.rejected].filter(isOpen),
    retry: defer(judgement.deferred.filter(isOpen)),
    serverTime,
  }
}

function toPair([from, to]: Range): [number, number] {
  return [from, to]
}

/** Joins numbers that follow one another. */
function defer(places: readonly StreamSeq[]): Deferral[] {
  const deferrals: Deferral[] = []
  for (const { stream, seq } of places) {
    const last = deferrals.at(-1)
    if (last?.stream === stream && last.to + 1 === seq) last.to = seq
    else deferrals.push({ stream, from: seq, to: seq, delayMs: SCHEMA_RETRY_MS })
  }
  return deferrals
}

function countByCode({ rejected }: WireAnswer): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { code } of rejected) counts.set(code, (counts.get(code) ?? 0) + 1)
  return counts
}

function logSchemaFailures({ deferred }: Judgement, log: Log): void {
  const meters = [...new Set(deferred.map(({ meter }) => meter))]
  log('error', 'schema_failed', { meters, events: deferred.length, retryMs: SCHEMA_RETRY_MS })
}
