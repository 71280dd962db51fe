import { type Breaker, createBreaker } from './breaker.ts'
import { type Concurrency, createConcurrency } from './concurrency.ts'
import type { LaneHold, LaneState } from './contract.ts'
import { createMappingBrake, type MappingBrake } from './mapping-brake.ts'

/** What a lane learns while it runs; forgotten at a restart, unless it has keepsakes. */
export interface LaneMemory {
  breaker: Breaker
  brake: MappingBrake
  readonly concurrency: Concurrency
  /** Calls in a row that got no verdict; those that were under way together count as one. */
  failures: number
  /** Grows with each of them. */
  round: number
  /** The environment's limit. */
  readonly maxBytes: number
  learnedMaxBytes: number
  /** The operator had the lane paused when it was looked at last. */
  wasPaused: boolean
  calls: number
  accepted: number
  buried: number
}

/** How long a lane waits before its next step. 0 ms: it goes on. */
export interface Rest {
  readonly ms: number
  /** Whether new events end it early. */
  readonly wakeable: boolean
  readonly state: LaneState
  readonly code?: LaneHold
  readonly reason?: string
}

export const GO_ON: Rest = { ms: 0, wakeable: false, state: 'sending' }

export function createLaneMemory({ maxBytes, maxCalls }: { maxBytes: number; maxCalls: number }): LaneMemory {
  return {
    ...{ breaker: createBreaker(), brake: createMappingBrake(), concurrency: createConcurrency(maxCalls) },
    ...{ failures: 0, round: 0, maxBytes, learnedMaxBytes: maxBytes },
    ...{ wasPaused: false, calls: 0, accepted: 0, buried: 0 },
  }
}
