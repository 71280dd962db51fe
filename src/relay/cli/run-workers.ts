import cluster, { type Worker } from 'node:cluster'
import { MetertapError } from '../../wire/errors.ts'
import type { Command } from './args.ts'
import type { CliHost } from './host.ts'
import { runRelay } from './run-relay.ts'
import { readSettings } from './store-files.ts'

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
  if (cluster.isWorker || command.workers === 1) return runRelay(command, host, { isWorker: cluster.isWorker })
  // Checked here, so that a mistake is told once and not by every worker again and again.
  const { store } = await readSettings(command.config, host)
  if ('sqlite' in store) {
    const message =
      '--workers needs a PostgreSQL store: a SQLite file has one relay process. Leave it out, or set store.postgres.'
    throw new MetertapError('bad_option', message)
  }
  supervise(command.workers, host)
}

function supervise(size: number, host: CliHost): void {
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
    worker.on('exit', (code, signal) => {
      living.delete(worker)
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
  for (let n = 0; n < size; n++) fork()
}
