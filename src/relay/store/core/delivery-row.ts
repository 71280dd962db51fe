import type { ParkedDelivery } from '../contract.ts'
import type { Run } from './chunk-format.ts'

/** What settling needs of a delivery's row. */
export interface LoadedDelivery {
  lane: string
  rows: number
  runs: Run[]
  doubt: number | null
}

/** A parked delivery's row. */
export interface ParkedRow extends Omit<ParkedDelivery, 'events' | 'doubtSinceMs'> {
  doubt: number | null
  runs: string
}

/** As much of an error as a row keeps. */
export const MAX_ERROR_CHARS = 500
/** Parked deliveries in one list, unless told otherwise. */
export const PARKED_LIMIT = 100
/** Events that a parked delivery is shown with. */
export const MAX_EVENTS_SHOWN = 100
