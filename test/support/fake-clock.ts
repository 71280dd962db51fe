/** A clock and its timers, moved by hand: what a real event loop would do, in order of time, without waiting. */
export interface FakeClock {
  /** Wall clock, ms since 1970. */
  now(): number
  /** Never set back, ms. */
  monotonic(): number
  setTimer(callback: () => void, delayMs: number): () => void
  /** Moves the time on, fires what falls due on the way, and lets promises settle after each. */
  advance(ms: number): Promise<void>
  /** Sets the wall clock forward or back; timers and the monotonic clock do not notice, as while a machine sleeps. */
  step(ms: number): void
  /** Delays of the timers that are set, from now, ascending. */
  readonly pendingMs: readonly number[]
}

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/** Lets every promise that can settle without a timer settle, macrotasks of streams and fetch included. */
export async function settle(rounds: number = 60): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve))
}

export function fakeClock(startMs: number = 1_700_000_000_000): FakeClock {
  let steadyMs = 0
  let offsetMs = startMs
  const timers = new Set<Timer>()
  const nextDue = (untilMs: number) =>
    [...timers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0]
  return {
    now: () => steadyMs + offsetMs,
    monotonic: () => steadyMs,
    setTimer(callback, delayMs) {
      const timer = { dueMs: steadyMs + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      const untilMs = steadyMs + ms
      await settle()
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        timers.delete(timer)
        steadyMs = Math.max(steadyMs, timer.dueMs)
        timer.callback()
        await settle()
      }
      steadyMs = untilMs
    },
    step(ms) {
      offsetMs += ms
    },
    get pendingMs() {
      return [...timers].map(({ dueMs }) => dueMs - steadyMs).sort((a, b) => a - b)
    },
  }
}

/** A promise and the functions that settle it. */
export function deferred<T = void>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>()
}

/** The error that something throws or rejects with; fails when it does not. */
export async function failure(action: () => unknown): Promise<Error & { code?: string; detail?: unknown }> {
  try {
    await action()
  } catch (error) {
    return error as Error & { code?: string }
  }
  throw new Error('Nothing was thrown.')
}
