import type { Claim, ClaimOptions, Outbox, Settled, Settlement } from '../outbox/contract.ts'
import { segmentDamage } from '../outbox/core/sound-rows.ts'
import { eventsIn } from '../outbox/core/sums.ts'
import type { Turn } from '../schedule/drainer.ts'
import type { Outcome } from '../transport/contract.ts'
import type { Deferral, Policy, WireAnswer } from '../wire/contract.ts'
import { encodeBatch } from '../wire/encode-batch.ts'
import type { ClockEvidence } from './clock-evidence.ts'
import { narrowClaim } from './narrow.ts'
import { Poison } from './poison.ts'
import type { SendingOptions } from './sending.ts'

export interface DeliverOptions {
  readonly outbox: Outbox
  readonly accountTag: string
  readonly device: string
  /** Lowered in place by a 413 (and slowly raised again) and by the relay's policy. */
  readonly limits: { maxBatchBytes: number; maxBatchEvents: number }
  /** 0 where a lock makes this agent the only sender. */
  readonly leaseMs: number
  readonly now: () => number
  readonly clock: ClockEvidence
  readonly send: (text: string) => Promise<Outcome>
  readonly hooks: DeliverHooks
  /** See SendingOptions. Without it, nobody purges. */
  readonly purges?: SendingOptions['purges'] | undefined
}

export interface DeliverHooks {
  /** What is in flight; undefined when the request is over. */
  onSending(claim: Claim | undefined): void
  /** `judged`: what the relay was asked about. */
  onSettled(settled: Settled, judged: Claim): void
  onFailed(outcome: FailedOutcome): void
  /** Events were hidden; the first of them are visible again after delayMs. */
  onDeferred(delayMs: number): void
  onPolicy(policy: Policy): void
}

export type FailedOutcome = Exclude<Outcome, { kind: 'answered' | 'too-large' }>

/** How long a refusal parks the outbox before it is tried again. */
const PARKED_MS = 300_000
/** How long a suspected event is set aside while nothing confirms or clears it. */
const SUSPECT_MS = 3_600_000
/** A relay's "later" is no sooner than this, or the same events would go round and round, … */
const MIN_DEFERRAL_MS = 1_000
/** … and no later than this, however wrong a clock or a unit is. */
const MAX_DEFERRAL_MS = 86_400_000

const NOTHING_TAKEN =
  'The relay’s answer covers none of the events sent to it. Are agent and relay of the same version?'

const REPORTS_TOO_LARGE: FailedOutcome & { kind: 'refused' } = {
  kind: 'refused',
  status: 413,
  code: 'http_413',
  detail:
    'The relay finds a request without events too large. Raise the limit of the relay, or of the proxy before it.',
}

const EVENT_TOO_LARGE: FailedOutcome & { kind: 'refused' } = {
  kind: 'refused',
  status: 413,
  code: 'event_too_large',
  detail: 'The relay, or a proxy before it, takes no request as large as this one event.',
}

/** The deferrals that name something that was sent, with delays within bounds. */
function deferralsOf(retry: readonly Deferral[], { segments }: Claim): Deferral[] {
  return retry
    .filter(({ stream, from, to }) =>
      segments.some((sent) => sent.stream === stream && from < sent.first + sent.count && to >= sent.first),
    )
    .map((each) => ({ ...each, delayMs: Math.min(Math.max(each.delayMs, MIN_DEFERRAL_MS), MAX_DEFERRAL_MS) }))
}

/** Whether the answer settles at least one of the events that were sent. */
function namesAny({ received, rejected }: WireAnswer, { segments }: Claim): boolean {
  return segments.some(({ stream, first, count }) => {
    const isSent = (from: number, to: number) => from <= to && from < first + count && to >= first
    const ranges = received[stream] ?? []
    return (
      ranges.some(([from, to]) => isSent(from, to)) ||
      rejected.some((each) => each.stream === stream && isSent(each.seq, each.seq))
    )
  })
}

/** Whether an event may be to blame: not where the relay speaks another version of the protocol altogether. */
function blamesContent({ status, code }: Outcome & { kind: 'refused' }): boolean {
  return (status === 400 || status === 422) && code !== 'unsupported_version'
}

/**
 * One turn of delivery: claim, build, send, settle. `follows`: the turn before has only just ended with 'more', so what it
 * claimed for this one is as good as new.
 */
export function createDeliver(options: DeliverOptions): (follows?: boolean) => Promise<Turn> {
  const { outbox, limits, hooks, now, clock, purges = () => undefined } = options
  const poison = new Poison()
  /** What limits grow back to, after a 413 made them smaller. */
  let mostEvents = limits.maxBatchEvents
  /** The next claim is to look at every text. */
  let verify = false
  /** Claimed by the last settlement for a turn that follows it at once; without a lease, so nobody needs to give it back. */
  let next: Claim | undefined
  /** What purges() said when the newest turn began. */
  let asOf: number | undefined

  const maxEvents = () => Math.min(limits.maxBatchEvents, poison.maxEvents)
  const bounds = (): Omit<ClaimOptions, 'leaseMs'> => {
    return { accountTag: options.accountTag, maxBytes: limits.maxBatchBytes, maxEvents: maxEvents(), nowMs: now() }
  }

  /** Wishes of the relay only ever lower a limit. */
  const limit = ({ maxBatchBytes, maxBatchEvents }: Policy) => {
    if (maxBatchBytes) limits.maxBatchBytes = Math.min(limits.maxBatchBytes, maxBatchBytes)
    if (maxBatchEvents) {
      mostEvents = Math.min(mostEvents, maxBatchEvents)
      limits.maxBatchEvents = Math.min(limits.maxBatchEvents, maxBatchEvents)
    }
  }

  /** Settles what no relay has answered for: its reports stay unreported. */
  const settleAlone = async (claim: Claim, judged: Claim, verdicts: Partial<Settlement>): Promise<void> => {
    const unreported = { ...claim, reports: [] }
    const nothing = { received: {}, rejected: [], deferred: [], nowMs: now() }
    hooks.onSettled(await outbox.settle({ ...nothing, ...verdicts, claim: unreported }), judged)
  }

  const settle = async (claim: Claim, sent: Claim, answer: WireAnswer): Promise<Turn> => {
    const { received, rejected, policy } = answer
    const deferred = deferralsOf(answer.retry, sent)
    if (policy) limit(policy)
    const ahead = claim.more && options.leaseMs === 0 && { next: bounds() }
    const verdicts = { received, rejected, deferred }
    const settled = await outbox.settle({ claim, ...verdicts, nowMs: now(), counted: true, ...ahead })
    next = settled.next
    hooks.onSettled(settled, sent)
    if (deferred.length > 0) hooks.onDeferred(Math.min(...deferred.map(({ delayMs }) => delayMs)))
    if (policy) hooks.onPolicy(policy)
    const isFree = settled.received > 0 && (await tryAgain())
    // All of it has left and nothing lay behind it: what has come since brings a flush of its own.
    if (isFree && !claim.more && settled.received === eventsIn(claim.segments)) return { kind: 'empty' }
    // Not by what the settlement changed: it may have been purged, or settled by another agent, in the meantime.
    if (claim.segments.length === 0 || settled.dead.length + deferred.length > 0) return { kind: 'more' }
    if (namesAny(answer, sent)) return { kind: 'more' }
    hooks.onFailed({ kind: 'later', delayMs: 0, code: 'bad_answer', detail: NOTHING_TAKEN })
    return { kind: 'wait', atLeastMs: 0 }
  }

  /**
   * The relay takes events: those set aside get their second chance, and a cap learned from a 413 may be too low. True when
   * nothing was set aside.
   */
  const tryAgain = async (): Promise<boolean> => {
    limits.maxBatchEvents = Math.min(mostEvents, limits.maxBatchEvents + Math.ceil(mostEvents / 100))
    const suspects = poison.accepted()
    // What is claimed already would leave them out.
    if (suspects.length > 0) next = undefined
    for (const segment of suspects) await outbox.release({ segments: [segment], reports: [], more: false })
    return suspects.length === 0
  }

  /** 413: from now on at most half of what was too much. */
  const shrink = (claim: Claim, sent: Claim): Promise<Turn> => {
    const events = eventsIn(sent.segments)
    if (events === 0) return fail(claim, REPORTS_TOO_LARGE)
    if (events > 1) limits.maxBatchEvents = Math.floor(events / 2)
    return isolate(claim, sent, EVENT_TOO_LARGE)
  }

  /** A whole request was refused for what it holds: look for the event that spoils it. */
  const isolate = async (claim: Claim, sent: Claim, outcome: FailedOutcome & { kind: 'refused' }): Promise<Turn> => {
    if (!verify && sent.segments.some(segmentDamage)) {
      // Somebody changed what is stored, and left its seal: the next claim sets it aside.
      verify = true
      await outbox.release(claim)
      return { kind: 'more' }
    }
    const suspicion = poison.refused(sent)
    const [only] = sent.segments
    if (suspicion === 'park' || !only) return fail(claim, outcome)
    const { stream, first: seq } = only
    if (suspicion === 'halve') await outbox.release(claim)
    else if (suspicion === 'suspect') {
      await settleAlone(claim, sent, { deferred: [{ stream, from: seq, to: seq, delayMs: SUSPECT_MS }] })
      hooks.onDeferred(SUSPECT_MS)
    } else await settleAlone(claim, sent, { rejected: [{ stream, seq, code: outcome.code, detail: outcome.detail }] })
    return { kind: 'more' }
  }

  const fail = async (claim: Claim, outcome: FailedOutcome): Promise<Turn> => {
    await outbox.release(claim)
    hooks.onFailed(outcome)
    if (outcome.kind === 'later') return { kind: 'wait', atLeastMs: outcome.delayMs, byServer: outcome.delayMs > 0 }
    return { kind: 'wait', atLeastMs: outcome.kind === 'refused' ? PARKED_MS : 0 }
  }

  const conclude = (claim: Claim, sent: Claim, outcome: Outcome): Promise<Turn> => {
    if (outcome.kind === 'answered') return settle(claim, sent, outcome.answer)
    if (outcome.kind === 'too-large') return shrink(claim, sent)
    if (outcome.kind === 'refused' && blamesContent(outcome)) return isolate(claim, sent, outcome)
    return fail(claim, outcome)
  }

  const request = async (sent: Claim): Promise<Outcome> => {
    const { reports, segments } = sent
    const parts = { sentAtMs: now(), device: options.device, reports, segments, clock: clock.current }
    const answered = clock.begin()
    const outcome = await options.send(encodeBatch(parts))
    if (outcome.kind === 'answered') answered(outcome.answer.serverTime)
    return outcome
  }

  const claimNew = (): Promise<Claim | undefined> =>
    outbox.claim({ ...bounds(), leaseMs: options.leaseMs, ...(verify && { verify }) })

  return async (follows = false) => {
    // Whoever is the sender by leases alone has to write one.
    const ready = follows && options.leaseMs === 0 && purges() === asOf ? next : undefined
    next = undefined
    asOf = purges()
    const claim = ready ?? (await claimNew())
    verify = false
    if (!claim) return { kind: 'empty' }
    if (purges() !== asOf) {
      // It may hold what is purged by now; with the purge's end comes a flush.
      await outbox.release(claim)
      return { kind: 'wait', atLeastMs: 0 }
    }
    const sent = narrowClaim(claim, maxEvents())
    hooks.onSending(sent)
    try {
      return await conclude(claim, sent, await request(sent))
    } finally {
      hooks.onSending(undefined)
    }
  }
}
