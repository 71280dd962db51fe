import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FileLock, takeFileLock } from '../sqlite/file-lock.ts'

export interface NodeLocksOptions {
  /** Where the locks' files are; made when it is needed. */
  readonly folder: string
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** How long to wait before looking again for a lock that somebody holds, ms. Default 1,000. */
  readonly pollMs?: number
}

export type NodeLocks = Pick<LockManager, 'request'>

/** The file that stands for a lock's name. */
export function lockPath(folder: string, name: string): string {
  return join(folder, `${encodeURIComponent(name)}.lock`)
}

/**
 * Web Locks between the processes and worker threads of one machine, as far as an agent uses them: exclusive, with
 * `ifAvailable` and `signal`, without `steal`. A lock ends with whoever holds it. A queue is kept by looking again.
 */
export function nodeLocks({ folder, setTimer, pollMs = 1_000 }: NodeLocksOptions): NodeLocks {
  function take(name: string): FileLock | undefined {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return takeFileLock(lockPath(folder, name))
  }

  async function wait(name: string, signal: AbortSignal | undefined): Promise<FileLock> {
    for (;;) {
      signal?.throwIfAborted()
      const lock = take(name)
      if (lock) return lock
      await new Promise<void>((resolve) => {
        const stop = setTimer(resolve, pollMs)
        const onAbort = () => {
          stop()
          resolve()
        }
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    }
  }

  async function request(
    name: string,
    ...given: [LockGrantedCallback<unknown>] | [LockOptions, LockGrantedCallback<unknown>]
  ) {
    const [options, callback] = given.length === 1 ? [{}, given[0]] : given
    if (options.steal) throw new DOMException('A lock of another process cannot be stolen.', 'NotSupportedError')
    const lock = options.ifAvailable ? take(name) : await wait(name, options.signal)
    if (!lock) return callback(null)
    try {
      return await callback({ name, mode: 'exclusive' })
    } finally {
      lock.release()
    }
  }

  return { request: request as LockManager['request'] }
}
