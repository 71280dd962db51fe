import { type DrainOutcome, type DrainParts, drainOnce } from './drain.ts'
import { restFor } from './rest-for.ts'

/** How long to wait before the second look, ms; each further wait is twice as long. */
const FIRST_REST_MS = 1_000

/**
 * Drains, and goes on trying for so long: a network that has just come back often fails the first requests, that for the
 * token too, and the browser's own next try is minutes away. A page that is the sender may be on its way out.
 * Rejects with what the last try rejected with.
 */
export async function drainPatiently(parts: DrainParts, patienceMs: number): Promise<DrainOutcome> {
  const { runtime, signal } = parts
  const untilMs = runtime.monotonic() + patienceMs
  for (let restMs = FIRST_REST_MS; ; restMs *= 2) {
    const leftMs = Math.max(0, untilMs - runtime.monotonic())
    const isLast = leftMs < restMs || signal.aborted
    const outcome = await drainOnce({ ...parts, patienceMs: leftMs }).catch((error) => {
      if (isLast) throw error
      return 'busy' as const
    })
    if (outcome !== 'busy' || isLast) return outcome
    await restFor(restMs, runtime.setTimer, signal)
  }
}
