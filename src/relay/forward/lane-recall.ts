import { type BreakerState, createBreaker } from './breaker.ts'
import type { LaneMemory, Rest } from './lane-memory.ts'
import { type BrakeState, createMappingBrake } from './mapping-brake.ts'

/** Keeps a text for each lane, for whoever runs it next. */
export interface Keepsakes {
  read(lane: string): Promise<string | undefined>
  write(lane: string, text: string): Promise<void>
}

/** What a lane has learned and must not forget with its process: where those come and go, as at the edge. */
export interface LaneRecall {
  /** Takes up what was kept; the rest that is not over yet. */
  recall(): Promise<Rest | undefined>
  /** Keeps what has changed. */
  remember(rest: Rest): Promise<void>
}

interface Kept {
  readonly breaker: BreakerState
  /** Absent in what an earlier version kept. */
  readonly brake?: BrakeState
  readonly failures: number
  readonly learnedMaxBytes: number
  readonly wasPaused: boolean
  readonly rest?: Rest & { readonly untilMs: number }
}

/** A shorter rest is over before anybody could take it up. */
const MIN_KEPT_MS = 2_000

export interface LaneRecallDeps {
  readonly lane: string
  readonly memory: LaneMemory
  readonly clock: () => number
  /** Absent: nothing is kept. */
  readonly keepsakes?: Keepsakes | undefined
}

export function createLaneRecall({ lane, memory, clock, keepsakes }: LaneRecallDeps): LaneRecall {
  let known = write(undefined)
  /** The same rest, seen again, has the same end. */
  let resting: Kept['rest']

  function write(rest: Kept['rest']): string {
    const { breaker, brake, failures, learnedMaxBytes, wasPaused } = memory
    const states = { breaker: breaker.snapshot(), brake: brake.snapshot() }
    const kept: Kept = { ...states, failures, learnedMaxBytes, wasPaused, ...(rest && { rest }) }
    return JSON.stringify(kept)
  }

  return {
    async recall() {
      const text = await keepsakes?.read(lane)
      if (text === undefined) return undefined
      const { breaker, brake, rest, ...others } = JSON.parse(text) as Kept
      Object.assign(memory, others, { breaker: createBreaker(breaker), brake: createMappingBrake(brake) })
      known = text
      resting = rest
      const leftMs = (rest?.untilMs ?? 0) - clock()
      return rest && leftMs > 0 ? { ...rest, ms: Math.min(leftMs, rest.ms) } : undefined
    },
    async remember(rest) {
      if (keepsakes === undefined) return
      const isLong = rest.ms >= MIN_KEPT_MS && !rest.wakeable
      const untilMs = clock() + rest.ms
      if (!isLong) resting = undefined
      else if (resting === undefined || untilMs > resting.untilMs) resting = { ...rest, untilMs }
      const text = write(resting)
      if (text === known) return
      await keepsakes.write(lane, text)
      known = text
    },
  }
}
