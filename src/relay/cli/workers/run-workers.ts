import cluster from 'node:cluster'
import { MetertapError } from '../../../wire/errors.ts'
import type { Command } from '../args.ts'
import type { CliHost } from '../host.ts'
import { runRelay } from '../run-relay.ts'
import { readSettings } from '../store-files.ts'
import { type Line, openSiblings } from './open-siblings.ts'

type RelayCommand = Extract<Command, { kind: 'relay' }>

/**
 * Runs as many relay processes as asked for on one port. A worker that dies is replaced; SIGTERM drains all,
 * SIGUSR2 one after the other.
 *
 * Errors: MetertapError bad_option.
 */
export async function runWorkers(command: RelayCommand, host: CliHost): Promise<void> {
  if (cluster.isWorker) {
    // Sent to all of a service's processes, the signal would end the workers all at once: it is for the first alone.
    host.onRestart(() => {})
    return runRelay(command, host, openSiblings(lineOf(process)))
  }
  if (command.workers === 1) return runRelay(command, host)
  // Checked here, so that a mistake is told once and not by every worker again and again.
  const { store } = await readSettings(command.config, host)
  if ('sqlite' in store) {
    const message =
      '--workers needs a PostgreSQL store: a SQLite file has one relay process. Leave it out, or set store.postgres.'
    throw new MetertapError('bad_option', message)
  }
  const [{ createMetricsDesk }, { supervise }] = await Promise.all([
    import('./metrics-desk.ts'),
    import('./supervise.ts'),
  ])
  supervise(command.workers, host, createMetricsDesk())
}

function lineOf(worker: NodeJS.Process): Line {
  return {
    // A line that is cut ends the worker, too.
    send: (message) => worker.connected && worker.send?.(message, undefined, undefined, () => {}),
    onMessage: (handler) => void worker.on('message', handler),
  }
}
