import type { LaneStats } from '../forward/contract.ts'
import type { TokenResult } from '../forward/token-source.ts'
import type { ProblemCode } from '../problem.ts'
import type { MeterReport } from '../reconcile/contract.ts'
import type {
  AcceptRequest,
  AcceptResult,
  ImportFailure,
  ImportFailureResult,
  LedgerRow,
  RelayStore,
  Revocation,
} from '../store/contract.ts'

/** Methods of a shard's store that are asked from outside. */
export const SHARD_QUESTIONS = [
  ...(['useNonce', 'totals', 'backlog', 'ledger', 'gaps', 'ledgerByHour', 'deadLetters', 'editDeadLetter'] as const),
  ...(['replayDeadLetters', 'deleteDeadLetters', 'pauseLane', 'resumeLane', 'heldEvents', 'releaseHeld'] as const),
  ...(['parkedDeliveries', 'resolveParked', 'check'] as const),
] as const

export type ShardQuestion = (typeof SHARD_QUESTIONS)[number]

/** A refusal as it travels between objects: errors lose their fields on the way. */
export interface Refusal {
  readonly refused: {
    readonly code: ProblemCode
    readonly detail: string
    readonly headers: Readonly<Record<string, string>>
  }
}

/** Events of some accounts, from acceptance to the upstream: one SQLite Durable Object of several. */
export interface ShardFace {
  accept(request: AcceptRequest): Promise<AcceptResult | Refusal>
  ask<M extends ShardQuestion>(method: M, parameters: Parameters<RelayStore[M]>): ReturnType<RelayStore[M]>
  /** Something is to be sent again, or may be. */
  wake(lane?: string): Promise<void>
  stats(): Promise<LaneStats[]>
  storedBytes(): Promise<number>
  /** What the upstream found out about forwarded events; one answer for each. */
  buryForwarded(failures: readonly ImportFailure[], nowMs: number): Promise<ImportFailureResult[]>
  /** Who has these streams; of a stream of many accounts the first two. */
  ownersOf(streams: readonly string[]): Promise<StreamOwner[]>
  /** Events of a meter forwarded within whole hours. */
  sumForwarded(meter: string, span: { readonly fromMs: number; readonly untilMs: number }): Promise<number>
}

export type StreamOwner = Pick<LedgerRow, 'stream' | 'tenant' | 'account'>

/** All revocations, and which state of them that is. */
export interface RevocationList {
  readonly version: number
  readonly list: readonly Revocation[]
}

/** What all isolates share: signing keys and revocations. One Durable Object. */
export interface KeysFace {
  readSecret(name: string): Promise<string | undefined>
  /** The stored value: the given one only if there was none. */
  keepSecret(name: string, value: string): Promise<string>
  swapSecret(name: string, before: string, after: string): Promise<boolean>
  revoke(revocation: Revocation): Promise<void>
  /** Undefined when `version` is the newest. */
  revocations(version: number): Promise<RevocationList | undefined>
  /** How many shards there are: what was said first stays. */
  fixShards(count: number): Promise<number>
  check(): Promise<void>
}

export interface CallSlice {
  /** Calls that may be made. */
  readonly calls: number
  /** How long until the next one may be asked for, ms. */
  readonly waitMs: number
}

/** The one door to the upstream: its OAuth token, and the calls that the tenant may make. One Durable Object. */
export interface GateFace {
  token(): Promise<TokenResult>
  discard(token: string): Promise<void>
  /** Spends up to `want` calls of the tenant's budget. */
  take(want: number): Promise<CallSlice>
  /** The upstream said that the tenant's limit is used up. */
  hold(ms: number): Promise<void>
}

/** Beside the gate's token, what the upstream says that it has: the same Durable Object. */
export interface ReconcileFace {
  /** Reconciles one meter, as far as one call may; see `isUnfinished`. One run at a time: others get its report. */
  reconcile(meter: string, sinceMs?: number): Promise<MeterReport>
  /** True for the first that asks within a span of so long. */
  takeTurn(everyMs: number): Promise<boolean>
}
