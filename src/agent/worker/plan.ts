import { backoffMs } from '../../schedule/backoff.ts'

/** When, and why not, an account's events are sent. It is stored, so that a wait outlives the object's memory. */
export interface Plan {
  /** The account's tag, as createAgent() was given it. */
  readonly account: string
  /** Names of the meters that its tokens must allow. */
  readonly meters: readonly string[]
  /** When to send next, ms since 1970; undefined while nothing waits. */
  readonly dueAtMs: number | undefined
  /** Tries in a row that failed. */
  readonly failures: number
  /** The relay asked for this wait: nobody cuts it short. */
  readonly isMandatory: boolean
  /** Looks in a row that found nothing to send, though something waits: it is put off, or it is lost. */
  readonly idleLooks: number
  /** Reasons given to pause(); nothing is sent while there are any. */
  readonly pausedBy: readonly string[]
  /** What went wrong last, and when (`atMs`, ms since 1970). */
  readonly trouble: { readonly code: string; readonly detail: string; readonly atMs: number } | undefined
}

/** What a drain came to. */
export type Drained =
  /** Nothing more to send now; `wakeAtMs`: the relay wants some of what waits then. */
  | { readonly kind: 'empty'; readonly waiting: number; readonly wakeAtMs: number | undefined }
  /** There is more, and no allowance left. */
  | { readonly kind: 'more' }
  | { readonly kind: 'wait'; readonly atLeastMs: number; readonly byServer: boolean }

export interface PlanTimes {
  readonly nowMs: number
  /** Longest wait before waiting events are sent, ms. */
  readonly flushIntervalMs: number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** What one token can name. */
const MAX_METERS = 100
const MAX_BACKOFF_MS = 120_000
const LOOK_MS = 60_000
const MAX_LOOK_MS = 3_600_000

export function newPlan(account: string): Plan {
  const nothing = { dueAtMs: undefined, failures: 0, isMandatory: false, idleLooks: 0, trouble: undefined }
  return { account, meters: [], pausedBy: [], ...nothing }
}

/** The newest names first, so that a name nobody uses any more is the one that is given up. */
export function withMeters(plan: Plan, meters: readonly string[]): Plan {
  if (meters.every((name) => plan.meters.includes(name))) return plan
  return { ...plan, meters: [...new Set([...meters, ...plan.meters])].slice(0, MAX_METERS) }
}

/** Something was stored: it is sent after the interval, or at once when it is much; a wait after a failure stands. */
export function appended(plan: Plan, isMuch: boolean, { nowMs, flushIntervalMs }: PlanTimes): Plan {
  if (plan.dueAtMs !== undefined && (plan.failures > 0 || plan.isMandatory)) return plan
  const atMs = isMuch ? nowMs : nowMs + flushIntervalMs
  if (plan.dueAtMs !== undefined && plan.dueAtMs <= atMs) return plan
  return { ...plan, dueAtMs: atMs, idleLooks: 0 }
}

/** Somebody waits for it: now, unless the relay asked for the wait. */
export function forced(plan: Plan, { nowMs }: PlanTimes): Plan {
  return mustWait(plan, nowMs) ? plan : { ...plan, dueAtMs: nowMs, isMandatory: false }
}

export function mustWait({ isMandatory, dueAtMs }: Plan, nowMs: number): boolean {
  return isMandatory && dueAtMs !== undefined && dueAtMs > nowMs
}

/** What comes after a drain. `plan` is as it is now, with what was stored since it was due at `wasDueAtMs`. */
export function afterDrain(
  plan: Plan,
  wasDueAtMs: number | undefined,
  drained: Drained,
  { nowMs, flushIntervalMs, random }: PlanTimes,
): Plan {
  if (drained.kind === 'wait') {
    const backoff = { random, capMs: MAX_BACKOFF_MS }
    const dueAtMs = nowMs + backoffMs(backoff, plan.failures, drained.atLeastMs)
    return { ...plan, failures: plan.failures + 1, isMandatory: drained.byServer, dueAtMs }
  }
  const fine = { ...plan, failures: 0, isMandatory: false, trouble: undefined }
  if (drained.kind === 'more') return { ...fine, dueAtMs: nowMs, idleLooks: 0 }
  const { waiting, wakeAtMs = Number.POSITIVE_INFINITY } = drained
  // Stored while the last request was under way.
  const storedAtMs = plan.dueAtMs === wasDueAtMs ? Number.POSITIVE_INFINITY : (plan.dueAtMs ?? Number.POSITIVE_INFINITY)
  const lookMs = plan.idleLooks === 0 ? flushIntervalMs : Math.min(MAX_LOOK_MS, LOOK_MS * 2 ** (plan.idleLooks - 1))
  const lookAtMs = waiting > 0 ? nowMs + lookMs : Number.POSITIVE_INFINITY
  const dueAtMs = Math.min(wakeAtMs, storedAtMs, lookAtMs)
  const idleLooks = waiting > 0 ? plan.idleLooks + 1 : 0
  return { ...fine, idleLooks, dueAtMs: Number.isFinite(dueAtMs) ? dueAtMs : undefined }
}
