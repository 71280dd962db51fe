import cluster, { type Worker } from 'node:cluster'
import { MetertapError } from '../../../wire/errors.ts'
import type { Command } from '../args.ts'
import type { CliHost } from '../host.ts'
import { runRelay } from '../run-relay.ts'
import { readSettings } from '../store-files.ts'
import type { MetricsDesk } from './metrics-desk.ts'
import { type Line, openSiblings } from './open-siblings.ts'

type RelayCommand = Extract<Command, { kind: 'relay' }>

const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 30_000
/** A worker that has lived so long is well: its next death is a first one. */
const WELL_AFTER_MS = 60_000

/**
 * Runs as many relay processes as asked for on one port. A worker that dies is replaced; SIGTERM drains all.
 *
 * Errors: MetertapError bad_option.
 */
export async function runWorkers(command: RelayCommand, host: CliHost): Promise<void> {
  if (cluster.isWorker) return runRelay(command, host, openSiblings(lineOf(process)))
  if (command.workers === 1) return runRelay(command, host)
  // Checked here, so that a mistake is told once and not by every worker again and again.
  const { store } = await readSettings(command.config, host)
  if ('sqlite' in store) {
    const message =
      '--workers needs a PostgreSQL store: a SQLite file has one relay process. Leave it out, or set store.postgres.'
    throw new MetertapError('bad_option', message)
  }
  const { createMetricsDesk } = await import('./metrics-desk.ts')
  supervise(command.workers, host, createMetricsDesk())
}

function supervise(size: number, host: CliHost, desk: MetricsDesk): void {
  const living = new Set<Worker>()
  let hasListened = false
  let isStopping = false
  let waitMs = FIRST_WAIT_MS

  function fork(): void {
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
      // What none of them could start from the beginning is not mended by trying.
      if (!hasListened && code === 1) return host.exit(1)
      if (host.clock() - bornAtMs > WELL_AFTER_MS) waitMs = FIRST_WAIT_MS
      host.writeErr(`worker ${worker.id} ended (${signal ?? code}): another starts in ${waitMs} ms\n`)
      setTimeout(() => {
        if (!isStopping) fork()
      }, waitMs)
      waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)
    })
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
  // Metrics are told as they are, NaN and Infinity too.
  cluster.setupPrimary({ serialization: 'advanced' })
  for (let n = 0; n < size; n++) fork()
}

function lineOf(worker: NodeJS.Process): Line {
  return {
    // A line that is cut ends the worker, too.
    send: (message) => worker.connected && worker.send?.(message, undefined, undefined, () => {}),
    onMessage: (handler) => void worker.on('message', handler),
  }
}
