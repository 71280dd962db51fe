import type { AppendGroup, DeadLetter, Durability, OutboxTotals, StreamSummary } from '../../outbox/contract.ts'
import type { Range } from '../../wire/contract.ts'
import { type ErrorCode, MetertapError } from '../../wire/errors.ts'

/** An answer across the wire between objects: an error thrown there would arrive here without its code. */
export type Reply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

export interface AppendRequest {
  readonly account: string
  /** Names of the meters that this account's tokens must allow. */
  readonly meters: readonly string[]
  readonly group: AppendGroup
  /** Numbers of the group's stream that a relay has already, and whose events will never be appended. */
  readonly elsewhere: readonly Range[]
}

export interface AppendReply {
  readonly durability: Durability
  /** Why the account's events are kept back. */
  readonly pausedBy: readonly string[]
  /** What keeps the object from sending. The events are safe in it. */
  readonly trouble?: { readonly code: ErrorCode; readonly message: string }
}

type LetterId = Pick<DeadLetter, 'stream' | 'seq'>

/** What an object that keeps events answers to. One object may serve many accounts; each call is about one of them. */
export interface OutboxObject {
  append(request: AppendRequest): Promise<Reply<AppendReply>>
  flush(account: string): Promise<Reply<void>>
  pause(account: string, reason: string): Promise<Reply<void>>
  resume(account: string, reason: string): Promise<Reply<void>>
  purge(account: string, reason: string): Promise<Reply<number>>
  dropOldest(account: string, reason: string, bytes: number): Promise<Reply<number>>
  totals(account: string): Promise<Reply<OutboxTotals>>
  streams(account: string): Promise<Reply<StreamSummary[]>>
  deadLetters(account: string): Promise<Reply<DeadLetter[]>>
  deleteDeadLetters(account: string, letters: readonly LetterId[]): Promise<Reply<void>>
  retryDeadLetters(account: string, letters: readonly LetterId[]): Promise<Reply<number>>
}

/** The work's result, or its error, as data. */
export async function replyOf<T>(work: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await work() }
  } catch (error) {
    if (error instanceof MetertapError) return { ok: false, code: error.code, message: error.message }
    return { ok: false, code: 'internal', message: `The outbox failed (${(error as Error)?.name ?? typeof error}).` }
  }
}

/** @throws MetertapError what the other side threw. */
export function unpacked<T>(reply: Reply<T>): T {
  if (reply.ok) return reply.value
  throw new MetertapError(reply.code, reply.message)
}
