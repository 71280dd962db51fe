import type { Outbox } from '../outbox/contract.ts'
import { lockName } from './stream-lock.ts'

export interface OrphanOptions {
  readonly outbox: Outbox
  readonly locks: LockManager | undefined
  /** This agent's own stream. */
  readonly own: string
  readonly nowMs: number
}

/** An owner that lives closes its window itself, at once. */
const GRACE_MS = 10_000
/** Where there are no locks, an owner counts as dead this long after its window ended. */
const SILENT_MS = 86_400_000
/** The longest time from a window's first event to its end. */
const MAX_WINDOW_MS = 86_400_000

/** Closes windows that ended and whose owner is dead, so that their sums are sent. Resolves with how many. */
export async function closeOrphans({ outbox, locks, own, nowMs }: OrphanOptions): Promise<number> {
  const others = (await outbox.openRollups()).filter(({ stream }) => stream !== own)
  const endedFor = (graceMs: number) => {
    // An end too far ahead was set by a clock that has been set back since.
    const ended = others.filter(({ closesAtMs: ms }) => ms + graceMs < nowMs || ms - graceMs - MAX_WINDOW_MS > nowMs)
    return new Set(ended.map(({ stream }) => stream))
  }
  const silent = endedFor(SILENT_MS)
  let closed = 0
  for (const stream of endedFor(GRACE_MS)) {
    const close = () => outbox.closeRollups({ streams: [stream] })
    const count = await closeUnderLock(locks, stream, close)
    if (count !== 'unknown') closed += count
    else if (silent.has(stream)) closed += await close()
  }
  return closed
}

/**
 * Closes all windows whose owner is dead, ended or not: where an owner has its lock before it writes its first window, a
 * free lock says it all.
 */
export async function closeWindowsOfDead(outbox: Outbox, locks: LockManager | undefined): Promise<void> {
  const streams = new Set((await outbox.openRollups()).map(({ stream }) => stream))
  for (const stream of streams) await closeUnderLock(locks, stream, () => outbox.closeRollups({ streams: [stream] }))
}

/** How many were closed, 0 when the owner lives; 'unknown' where there are no locks. */
async function closeUnderLock(
  locks: LockManager | undefined,
  stream: string,
  close: () => Promise<number>,
): Promise<number | 'unknown'> {
  if (!locks) return 'unknown'
  try {
    return await locks.request(lockName(stream), { ifAvailable: true }, (lock) => (lock ? close() : 0))
  } catch (error) {
    if ((error as Error)?.name === 'SecurityError') return 'unknown'
    throw error
  }
}
