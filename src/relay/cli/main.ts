import { MetertapError } from '../../wire/errors.ts'
import type { RelayConfig } from '../config/define-config.ts'
import { createRelay, type Relay } from '../create-relay.ts'
import { type Command, HELP, parseCommand } from './args.ts'
import { loadConfig } from './load-config.ts'
import { createLog, describeError } from './log-lines.ts'

/** The process, as far as the command line needs it. */
export interface CliHost {
  readonly argv: readonly string[]
  readonly version: string
  readonly canRunTypeScript: boolean
  readonly clock: () => number
  writeOut(text: string): void
  writeErr(text: string): void
  onSignal(handler: (signal: string) => void): void
  exit(code: number): void
}

type RelayCommand = Extract<Command, { kind: 'relay' }>

/** Runs the command line. Exit codes: 0 done, 1 failed, 2 not understood. */
export async function main(host: CliHost): Promise<void> {
  const command = parseCommand(host.argv)
  if (command.kind === 'help') host.writeOut(HELP)
  else if (command.kind === 'version') host.writeOut(`${host.version}\n`)
  else if (command.kind === 'relay') await runRelay(command, host)
  else {
    host.writeErr(`${command.problem}\n\n${HELP}`)
    host.exit(2)
  }
}

async function runRelay(command: RelayCommand, host: CliHost): Promise<void> {
  const log = createLog(command.log, host.writeErr, host.clock)
  let relay: Relay | undefined
  try {
    const config = withPort(await loadConfig(command.config, host), command.port)
    relay = await createRelay(config, { log })
    stopOnSignal(relay, host)
    const { url } = await relay.start()
    host.writeOut(`metertap relay ${host.version} listens on ${url}\n`)
  } catch (error) {
    host.writeErr(`${error instanceof MetertapError ? readable(error) : describeError(error)}\n`)
    await relay?.stop()
    host.exit(1)
  }
}

/** An error for whoever wrote the configuration: what happened and what to do, and the system's own words. */
function readable({ message, cause }: MetertapError): string {
  return cause === undefined || message.includes((cause as Error).message)
    ? message
    : `${message}\n  ${describeError(cause)}`
}

function withPort(config: RelayConfig, port: number | undefined): RelayConfig {
  return port === undefined ? config : { ...config, listen: { ...config?.listen, port } }
}

function stopOnSignal(relay: Relay, host: CliHost): void {
  let isStopping = false
  host.onSignal((signal) => {
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
