import type { RelayLimits } from '../contract.ts'
import type { Log } from '../log.ts'
import { HttpProblem } from '../problem.ts'

export type PressureReason = 'disk' | 'commit' | 'backlog'

/** Whether the relay can take on more now. */
export interface Pressure {
  /** Errors: HttpProblem overloaded, with Retry-After. */
  check(): void
  /** Notes how long a commit took. */
  noteCommit(durationMs: number): void
  /** Why nothing is taken now; undefined when all is well. */
  reason(): PressureReason | undefined
}

export interface PressureDeps {
  readonly limits: Pick<RelayLimits, 'minFreeDiskBytes' | 'maxCommitMs' | 'maxBacklogEvents'>
  readonly clock: () => number
  readonly log: Log
  readonly freeDiskBytes: () => Promise<number>
  readonly backlogEvents: () => Promise<number>
}

const SAMPLE_MS = 1_000
/** Weight of the newest commit in the average. */
const NEWEST = 0.2
/** When commits were too slow, one request is let through after this long, to see whether they still are. */
const PROBE_MS = 5_000

const DETAILS: Readonly<Record<PressureReason, readonly [detail: string, retryAfterS: number]>> = {
  disk: ['The disk of the relay is nearly full', 60],
  commit: ['The disk of the relay is slow', 5],
  backlog: ['Too many events wait for the upstream', 60],
}

/**
 * Watches the disk, the commits and the backlog. Samples are taken when requests come, at most one a second and beside
 * them: no request waits for a sample. Nothing that was acknowledged is touched.
 */
export function createPressure(deps: PressureDeps): Pressure {
  const { limits, clock, log, freeDiskBytes, backlogEvents } = deps
  let freeBytes = Number.POSITIVE_INFINITY
  let backlog = 0
  let averageMs = 0
  let committedAtMs = 0
  let sampledAtMs = Number.NEGATIVE_INFINITY
  let logged: PressureReason | undefined

  async function sample(): Promise<void> {
    freeBytes = await freeDiskBytes()
    backlog = await backlogEvents()
  }

  function reason(): PressureReason | undefined {
    if (freeBytes < limits.minFreeDiskBytes) return 'disk'
    if (backlog > limits.maxBacklogEvents) return 'backlog'
    return averageMs > limits.maxCommitMs && clock() - committedAtMs < PROBE_MS ? 'commit' : undefined
  }

  return {
    reason,
    check() {
      const nowMs = clock()
      if (Math.abs(nowMs - sampledAtMs) >= SAMPLE_MS) {
        sampledAtMs = nowMs
        // A sample that fails changes nothing: a store that cannot be used says so itself.
        sample().catch((error: unknown) => log('warn', 'pressure_unknown', { error }))
      }
      const now = reason()
      if (now !== logged) log(now === undefined ? 'info' : 'error', 'pressure', { reason: now ?? 'none' })
      logged = now
      if (now === undefined) return
      const [detail, retryAfterS] = DETAILS[now]
      const advice = 'nothing was taken, send the same batch again later.'
      throw new HttpProblem('overloaded', `${detail}: ${advice}`, { 'Retry-After': String(retryAfterS) })
    },
    noteCommit(durationMs) {
      averageMs += NEWEST * (durationMs - averageMs)
      committedAtMs = clock()
    },
  }
}
