import type { StoredEvent } from './accept.ts'

/** An event that the upstream first took and later refused (its import failed), as the upstream tells it. */
export interface ImportFailure {
  /** Names this failure for ever: a second report of it changes nothing. */
  readonly mark: string
  /** When the mark may be forgotten, ms. */
  readonly markExpiresAtMs: number
  readonly tenant: string
  /** Absent when the upstream's row does not tell: then the stream must belong to one account only. */
  readonly account?: string
  readonly stream: string
  readonly seq: number
  readonly meter: string
  readonly atMs: number
  /** What can be told of the event's data from the upstream's row, JSON text. */
  readonly data: string
  /** The data is not all there: the letter can be replayed only after an edit. */
  readonly needsEdit: boolean
  readonly code: string
  readonly detail: string
}

/** known: reported before, or in the dead letters already. unknown: this relay has forwarded no such event. */
export type ImportFailureResult = 'buried' | 'known' | 'unknown'

/** An event that the upstream (or the mapping) refused, kept for the operator. */
export interface RelayDeadLetter extends StoredEvent {
  readonly id: number
  readonly code: string
  readonly detail: string
  readonly diedAtMs: number
  /** The data as it was before the first edit. */
  readonly originalData?: string
  /** Cannot be replayed until it is edited: only a part of its data came back from the upstream. */
  readonly needsEdit?: true
}

/** Newest first; default 100. `before` and `id` are ids of letters. */
export interface DeadLetterFilter {
  readonly id?: number
  readonly meter?: string
  readonly account?: string
  readonly stream?: string
  readonly code?: string
  readonly before?: number
  readonly limit?: number
}
