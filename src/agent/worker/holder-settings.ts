import type { DeadLetter } from '../../outbox/contract.ts'

/** How an object that keeps events goes about it; every limit is for all of its accounts together. */
export interface HolderSettings {
  /** Longest wait before waiting events are sent, ms. Default 5,000. */
  readonly flushIntervalMs?: number
  /** Events of one account that are sent at once. Default 1,000. */
  readonly flushEvents?: number
  /** Bytes of one account that are sent at once. Default 262,144. */
  readonly flushBytes?: number
  /** Events in one request. Default 2,000. */
  readonly maxBatchEvents?: number
  /** Uncompressed bytes in one request. Default 524,288. */
  readonly maxBatchBytes?: number
  /** Longest wait for the relay's answer, ms. Default 30,000. */
  readonly requestTimeoutMs?: number
  /** How much may wait, bytes. Default 1,073,741,824. */
  readonly maxOutboxBytes?: number
  /** What gives way when it is full, see the agent's option. Default 'reject-new'. */
  readonly overflow?: 'reject-new' | 'drop-oldest'
  /** Requests to the relay in one run of the object; the free plan allows 50 with those for tokens. Default 25. */
  readonly maxRequests?: number
  /** A request failed, and is tried again; or something is missing. */
  readonly onTrouble?: (account: string, trouble: { readonly code: string; readonly detail: string }) => void
  /** The relay will not take these; they are kept with its reasons. */
  readonly onDeadLetters?: (account: string, letters: readonly DeadLetter[]) => void
}

/** With defaults filled in. */
export type FilledSettings = HolderSettings & Required<Omit<HolderSettings, 'onTrouble' | 'onDeadLetters'>>

const DEFAULTS = {
  flushIntervalMs: 5_000,
  flushEvents: 1_000,
  flushBytes: 262_144,
  maxBatchEvents: 2_000,
  maxBatchBytes: 524_288,
  requestTimeoutMs: 30_000,
  maxOutboxBytes: 1_073_741_824,
  overflow: 'reject-new',
  maxRequests: 25,
} as const

export function filledSettings(given: HolderSettings): FilledSettings {
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { ...DEFAULTS, ...defined } as FilledSettings
}
