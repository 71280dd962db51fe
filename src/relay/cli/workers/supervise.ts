import cluster, { type Worker } from 'node:cluster'
import type { CliHost } from '../host.ts'
import type { MetricsDesk } from './metrics-desk.ts'

const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 30_000
/** A worker that has lived so long is well: its next death is a first one. */
const WELL_AFTER_MS = 60_000

/** Keeps so many workers alive until a signal ends them. */
export function supervise(size: number, host: CliHost, desk: MetricsDesk): void {
  const living = new Set<Worker>()
  /** Those that nobody takes the place of when they end. */
  const leaving = new Set<Worker>()
  let hasListened = false
  let isStopping = false
  let isRestarting = false
  let waitMs = FIRST_WAIT_MS

  function fork(): Worker {
    const bornAtMs = host.clock()
    const worker = cluster.fork()
    living.add(worker)
    worker.on('listening', () => {
      hasListened = true
    })
    const line = {
      id: worker.id,
      // One that has just ended is told nothing, and says nothing.
      send: (message: object) => worker.isConnected() && worker.send(message, undefined, () => {}),
    }
    worker.on('message', (message) => desk.onMessage(line, message))
    worker.on('exit', (code, signal) => {
      living.delete(worker)
      desk.onExit(worker.id)
      if (isStopping) return endWhenEmpty()
      if (leaving.delete(worker)) return
      // What none of them could start from the beginning is not mended by trying.
      if (!hasListened && code === 1) return host.exit(1)
      if (host.clock() - bornAtMs > WELL_AFTER_MS) waitMs = FIRST_WAIT_MS
      host.writeErr(`worker ${worker.id} ended (${signal ?? code}): another starts in ${waitMs} ms\n`)
      setTimeout(() => {
        if (!isStopping) fork()
      }, waitMs)
      waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)
    })
    return worker
  }

  /** A new one listens before an old one ends, so that nobody is turned away. */
  async function restartEach(): Promise<boolean> {
    for (const old of [...living]) {
      if (isStopping) return false
      if (!living.has(old)) continue
      // The new one takes its place from now on, should it end by itself meanwhile.
      leaving.add(old)
      const next = fork()
      leaving.add(next)
      const isWell = await listens(next)
      leaving.delete(next)
      if (!isWell) {
        if (!isStopping && !leaving.delete(old)) fork()
        if (!isStopping) host.writeErr('the new worker did not start: those that are left stay as they are\n')
        return false
      }
      old.process.kill('SIGTERM')
      await ended(old)
    }
    return !isStopping
  }

  function endWhenEmpty(): void {
    if (living.size === 0) host.exit(0)
  }

  host.onSignal((signal) => {
    if (isStopping) {
      for (const worker of living) worker.process.kill('SIGKILL')
      return host.exit(1)
    }
    isStopping = true
    host.writeErr(`${signal}: ${living.size} workers finish what is open\n`)
    for (const worker of living) worker.process.kill('SIGTERM')
    endWhenEmpty()
  })
  host.onRestart(() => {
    if (isRestarting || isStopping) return
    isRestarting = true
    host.writeErr(`${living.size} workers are replaced, one after the other\n`)
    restartEach().then((isDone) => {
      isRestarting = false
      if (isDone) host.writeErr('all workers are replaced\n')
    })
  })
  // Metrics are told as they are, NaN and Infinity too.
  cluster.setupPrimary({ serialization: 'advanced' })
  for (let n = 0; n < size; n++) fork()
}

/** False when it ended before it did. */
function listens(worker: Worker): Promise<boolean> {
  return new Promise((resolve) => {
    worker.once('listening', () => resolve(true))
    worker.once('exit', () => resolve(false))
  })
}

function ended(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    if (worker.isDead()) resolve()
    else worker.once('exit', () => resolve())
  })
}
