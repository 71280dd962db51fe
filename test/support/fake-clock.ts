/** A clock and its timers, moved by hand: what a real event loop would do, in order of time, without waiting. */
export interface FakeClock {
  now(): number
  setTimer(callback: () => void, delayMs: number): () => void
  /** Moves the time on, fires what falls due on the way, and lets promises settle after each. */
  advance(ms: number): Promise<void>
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
  let nowMs = startMs
  const timers = new Set<Timer>()
  const nextDue = (untilMs: number) =>
    [...timers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0]
  return {
    now: () => nowMs,
    setTimer(callback, delayMs) {
      const timer = { dueMs: nowMs + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      const untilMs = nowMs + ms
      await settle()
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        timers.delete(timer)
        nowMs = Math.max(nowMs, timer.dueMs)
        timer.callback()
        await settle()
      }
      nowMs = untilMs
    },
    get pendingMs() {
      return [...timers].map(({ dueMs }) => dueMs - nowMs).sort((a, b) => a - b)
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
