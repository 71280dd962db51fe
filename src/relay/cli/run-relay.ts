import type { RelayConfig } from '../config/define-config.ts'
import { createRelay, type Relay } from '../create-relay.ts'
import { describeError } from '../describe-error.ts'
import type { Siblings } from '../operate/siblings.ts'
import type { Command } from './args.ts'
import type { CliHost } from './host.ts'
import { loadConfig } from './load-config.ts'
import { createLog } from './log-lines.ts'

type RelayCommand = Extract<Command, { kind: 'relay' }>

/** Starts the relay, with `siblings` as a worker, and stays until a signal ends it. Errors: MetertapError bad_option. */
export async function runRelay(command: RelayCommand, host: CliHost, siblings?: Siblings): Promise<void> {
  const log = createLog(command.log, host.writeErr, host.clock)
  const config = withPorts(await loadConfig(command.config, host), command)
  const relay = await createRelay(config, { log, environment: host.environment, ...(siblings && { siblings }) })
  stopOnSignal(relay, host, siblings !== undefined)
  try {
    const { url, adminUrl } = await relay.start()
    const operator = adminUrl === undefined ? '' : `, for the operator on ${adminUrl} (a page: ${adminUrl}/console)`
    host.writeOut(`metertap relay ${host.version} listens on ${url}${operator}\n`)
  } catch (error) {
    await relay.stop()
    throw error
  }
}

function withPorts(config: RelayConfig, { port, adminPort }: RelayCommand): RelayConfig {
  if (port === undefined && adminPort === undefined) return config
  return {
    ...config,
    ...(port === undefined ? {} : { listen: { ...config?.listen, port } }),
    ...(adminPort === undefined
      ? {}
      : { admin: { ...config?.admin, listen: { ...config?.admin?.listen, port: adminPort } } }),
  }
}

function stopOnSignal(relay: Relay, host: CliHost, isWorker: boolean): void {
  let isStopping = false
  host.onSignal((signal) => {
    // A terminal sends it to every process at once: a worker waits for its supervisor's word.
    if (isWorker && signal === 'SIGINT') return
    if (isStopping) return host.exit(1)
    isStopping = true
    host.writeErr(`${signal}: finishing what is open\n`)
    relay.stop().then(
      () => host.exit(0),
      (error: unknown) => {
        host.writeErr(`The relay did not stop cleanly: ${describeError(error)}\n`)
        host.exit(1)
      },
    )
  })
}
