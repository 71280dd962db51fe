import { parseArgs } from 'node:util'

export type LogFormat = 'plain' | 'json'

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'relay'
      readonly config: string
      readonly port: number | undefined
      readonly adminPort: number | undefined
      readonly log: LogFormat
    }
  | { readonly kind: 'check'; readonly config: string }
  | { readonly kind: 'meters'; readonly config: string }
  | { readonly kind: 'backup'; readonly config: string; readonly file: string }
  /** Without a file: the store of the configuration. */
  | { readonly kind: 'verify'; readonly config: string; readonly file: string | undefined }
  | { readonly kind: 'migrate'; readonly config: string }
  | { readonly kind: 'explain'; readonly code: string | undefined }
  /** The command line cannot be understood; `problem` says why. */
  | { readonly kind: 'misuse'; readonly problem: string }

export const HELP = `metertap: billable usage from browsers, delivered once

Usage
  metertap relay [--config relay.config.ts] [--port 8787] [--admin-port 8788] [--log plain|json]
  metertap relay check [--config relay.config.ts]
  metertap relay backup FILE [--config relay.config.ts]
  metertap relay verify [FILE] [--config relay.config.ts]
  metertap relay migrate [--config relay.config.ts]
  metertap meters [--config relay.config.ts]
  metertap explain [CODE]

Commands
  relay            Run the relay: it takes usage from agents and forwards it to Zuora Mediation.
  relay check      Test the configuration, the store's folder, the upstream's credentials and the session issuers'
                   keys. Sends no event.
  relay backup     Copy the relay's store to a new file, while the relay works on. The copy holds all secrets.
  relay verify     Check the store, or a backup's FILE: every event that was taken is there once, and the counts agree.
  relay migrate    Bring a PostgreSQL store to this version, before relays of this version start.
  meters           Print, for each meter, what to set up in Zuora: the event definition and the Deduplicator.
  explain          Say what an error code means and what to do; without CODE, list them all.

Options
  -c, --config     File whose default export is the configuration (.ts, .mts, .js, .mjs). Default relay.config.ts.
  -p, --port       Port to listen on; overrides listen.port. 0 takes a free one.
      --admin-port Port of the operator's API; overrides admin.listen.port. 0 takes a free one.
      --log        plain (default) or json: one line or one JSON object per log entry, on standard error.
  -h, --help       Show this text.
  -v, --version    Show the version.

Signals
  SIGTERM, SIGINT  Finish what is open, then exit with 0. A second one exits at once.
`

interface Values {
  readonly config: string
  readonly port?: string | undefined
  readonly 'admin-port'?: string | undefined
  readonly log: string
}

/** Reads the command line (without node and script). Pure. */
export function parseCommand(argv: readonly string[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c', default: 'relay.config.ts' },
        port: { type: 'string', short: 'p' },
        'admin-port': { type: 'string' },
        log: { type: 'string', default: 'plain' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
    if (values.help) return { kind: 'help' }
    if (values.version) return { kind: 'version' }
    return commandOf(positionals, values)
  } catch (error) {
    return misuse((error as Error).message)
  }
}

function commandOf([name, ...rest]: readonly string[], values: Values): Command {
  const { config } = values
  if (name === undefined) return misuse('A command is missing.')
  if (name === 'meters') return rest.length === 0 ? { kind: 'meters', config } : tooMany(rest[0])
  if (name === 'explain') return rest.length < 2 ? { kind: 'explain', code: rest[0] } : tooMany(rest[1])
  if (name !== 'relay') return misuse(`There is no command "${name}".`)
  if (rest.length === 0) return relayCommand(values)
  return subcommand(rest as [string, ...string[]], config)
}

function subcommand([name, file, ...rest]: readonly [string, ...string[]], config: string): Command {
  if (name === 'check') return file === undefined ? { kind: 'check', config } : tooMany(file)
  if (name === 'migrate') return file === undefined ? { kind: 'migrate', config } : tooMany(file)
  if (name === 'verify' && file === undefined) return { kind: 'verify', config, file }
  if (name !== 'backup' && name !== 'verify') return tooMany(name)
  if (file === undefined) return misuse(`metertap relay ${name} needs a FILE.`)
  if (rest.length > 0) return tooMany(rest[0])
  return { kind: name, config, file }
}

function relayCommand({ config, port, 'admin-port': adminPort, log }: Values): Command {
  for (const [option, value] of Object.entries({ '--port': port, '--admin-port': adminPort })) {
    if (value !== undefined && !isPort(value)) return misuse(`${option} takes a whole number from 0 to 65535.`)
  }
  if (log !== 'plain' && log !== 'json') return misuse('--log takes plain or json.')
  return { kind: 'relay', config, port: toNumber(port), adminPort: toNumber(adminPort), log }
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}

function tooMany(word: string | undefined): Command {
  return misuse(`"${word}" is one argument too many.`)
}

function misuse(problem: string): Command {
  return { kind: 'misuse', problem }
}
