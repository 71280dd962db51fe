import { parseArgs } from 'node:util'

export type LogFormat = 'plain' | 'json'

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'relay'; readonly config: string; readonly port: number | undefined; readonly log: LogFormat }
  /** The command line cannot be understood; `problem` says why. */
  | { readonly kind: 'misuse'; readonly problem: string }

export const HELP = `metertap: billable usage from browsers, delivered once

Usage
  metertap relay --config relay.config.ts [--port 8787] [--log plain|json]

Commands
  relay            Run the relay: it takes usage from agents and forwards it to Zuora Mediation.

Options
  -c, --config     File whose default export is the configuration (.ts, .mts, .js, .mjs). Default relay.config.ts.
  -p, --port       Port to listen on; overrides listen.port. 0 takes a free one.
      --log        plain (default) or json: one line or one JSON object per log entry, on standard error.
  -h, --help       Show this text.
  -v, --version    Show the version.

Signals
  SIGTERM, SIGINT  Finish what is open, then exit with 0. A second one exits at once.
`

/** Reads the command line (without node and script). Pure. */
export function parseCommand(argv: readonly string[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c', default: 'relay.config.ts' },
        port: { type: 'string', short: 'p' },
        log: { type: 'string', default: 'plain' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
    if (values.help) return { kind: 'help' }
    if (values.version) return { kind: 'version' }
    return relayCommand(positionals, values)
  } catch (error) {
    return misuse((error as Error).message)
  }
}

function relayCommand(
  [name, ...rest]: readonly string[],
  { config, port, log }: { config: string; port?: string | undefined; log: string },
): Command {
  if (name === undefined) return misuse('A command is missing.')
  if (name !== 'relay') return misuse(`There is no command "${name}".`)
  if (rest.length > 0) return misuse(`"${rest[0]}" is one argument too many.`)
  if (port !== undefined && !isPort(port)) return misuse('--port takes a whole number from 0 to 65535.')
  if (log !== 'plain' && log !== 'json') return misuse('--log takes plain or json.')
  return { kind: 'relay', config, port: port === undefined ? undefined : Number(port), log }
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}

function misuse(problem: string): Command {
  return { kind: 'misuse', problem }
}
