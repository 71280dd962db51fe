/** A clock that moves only when told to, and the timers that hang on it. */
export interface VirtualTime {
  readonly clock: () => number
  readonly timer: (callback: () => void, delayMs: number) => () => void
  /** Lets everything that needs no timer run to its end, then fires what is due, for so many ms. */
  advance(ms: number): Promise<void>
  /** Fires timers one after the other until the condition holds; throws when a day has passed. */
  until(condition: () => boolean | Promise<boolean>): Promise<void>
}

/** Event-loop turns without a new or ended timer after which nothing is believed to be under way. */
const QUIET_TURNS = 80
const MAX_WAIT_MS = 24 * 3_600_000

export function createVirtualTime(startMs: number): VirtualTime {
  const timers = new Map<number, { dueMs: number; callback: () => void }>()
  let nowMs = startMs
  let changes = 0

  async function settle(): Promise<void> {
    for (let quiet = 0, seen = changes; quiet < QUIET_TURNS; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (changes === seen) continue
      seen = changes
      quiet = -1
    }
  }

  /** False when no timer is due until then. */
  async function fireNext(untilMs: number): Promise<boolean> {
    await settle()
    const next = [...timers].sort(([a, x], [b, y]) => x.dueMs - y.dueMs || a - b)[0]
    if (!next || next[1].dueMs > untilMs) return false
    const [id, { dueMs, callback }] = next
    timers.delete(id)
    nowMs = Math.max(nowMs, dueMs)
    callback()
    return true
  }

  return {
    clock: () => nowMs,
    timer(callback, delayMs) {
      const id = ++changes
      timers.set(id, { dueMs: nowMs + delayMs, callback })
      return () => {
        changes++
        timers.delete(id)
      }
    },
    async advance(ms) {
      const endMs = nowMs + ms
      while (await fireNext(endMs));
      nowMs = endMs
      await settle()
    },
    async until(condition) {
      const endMs = nowMs + MAX_WAIT_MS
      await settle()
      while (!(await condition())) {
        if (!(await fireNext(endMs))) throw new Error('The condition never held.')
        await settle()
      }
    },
  }
}
