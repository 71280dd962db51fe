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
      /** Relay processes that share the port. */
      readonly workers: number
      readonly log: LogFormat
    }
  | { readonly kind: 'check'; readonly config: string }
  | { readonly kind: 'meters'; readonly config: string }
  | { readonly kind: 'backup'; readonly config: string; readonly file: string }
  /** Without a file: the store of the configuration. */
  | { readonly kind: 'verify'; readonly config: string; readonly file: string | undefined }
  | { readonly kind: 'migrate'; readonly config: string }
  | { readonly kind: 'explain'; readonly code: string | undefined }
  /** From a SQLite file to PostgreSQL; without an address: METERTAP_POSTGRES_URL. */
  | { readonly kind: 'copy'; readonly from: string; readonly to: string | undefined; readonly schema: string }
  /** The command line cannot be understood; `problem` says why. */
  | { readonly kind: 'misuse'; readonly problem: string }

export const HELP = `metertap: billable usage from browsers, delivered once

Usage
  metertap relay [--config relay.config.ts] [--port 8787] [--admin-port 8788] [--log plain|json] [--workers 1]
  metertap relay check [--config relay.config.ts]
  metertap relay backup FILE [--config relay.config.ts]
  metertap relay verify [FILE] [--config relay.config.ts]
  metertap relay migrate [--config relay.config.ts]
  metertap relay copy --from sqlite:FILE --to postgres[://…] [--schema metertap]
  metertap meters [--config relay.config.ts]
  metertap explain [CODE]

Commands
  relay            Run the relay: it takes usage from agents and forwards it to Zuora Mediation.
  relay check      Test the configuration, the store's folder, the upstream's credentials and the session issuers'
                   keys. Sends no event.
  relay backup     Copy the relay's store to a new file, while the relay works on. The copy holds all secrets.
  relay verify     Check the store, or a backup's FILE: every event that was taken is there once, and the counts agree.
  relay migrate    Bring a PostgreSQL store to this version, before relays of this version start.
  relay copy       Move a stopped relay's SQLite store into an empty PostgreSQL database. What was interrupted goes on
                   when it is started again. Without an address it is METERTAP_POSTGRES_URL.
  meters           Print, for each meter, what to set up in Zuora: the event definition and the Deduplicator.
  explain          Say what an error code means and what to do; without CODE, list them all.

Options
  -c, --config     File whose default export is the configuration (.ts, .mts, .js, .mjs). Default relay.config.ts.
  -p, --port       Port to listen on; overrides listen.port. 0 takes a free one.
      --admin-port Port of the operator's API; overrides admin.listen.port. 0 takes a free one.
      --workers    So many relay processes on one port, for the cores of a machine. Needs a PostgreSQL store. Default 1.
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
  readonly workers: string
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly schema: string
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
        workers: { type: 'string', default: '1' },
        from: { type: 'string' },
        to: { type: 'string' },
        schema: { type: 'string', default: 'metertap' },
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
  if (rest[0] === 'copy') return rest[1] === undefined ? copyCommand(values) : tooMany(rest[1])
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

function copyCommand({ from = '', to = '', schema }: Values): Command {
  if (!/^sqlite:./.test(from)) return misuse('--from takes sqlite:FILE.')
  if (!/^postgres(ql)?(:\/\/.+)?$/.test(to))
    return misuse('--to takes postgres://…, or postgres for METERTAP_POSTGRES_URL.')
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) return misuse('--schema takes small letters, digits and _.')
  return { kind: 'copy', from: from.slice('sqlite:'.length), to: to.includes(':') ? to : undefined, schema }
}

function relayCommand({ config, port, 'admin-port': adminPort, log, workers }: Values): Command {
  for (const [option, value] of Object.entries({ '--port': port, '--admin-port': adminPort })) {
    if (value !== undefined && !isPort(value)) return misuse(`${option} takes a whole number from 0 to 65535.`)
  }
  if (log !== 'plain' && log !== 'json') return misuse('--log takes plain or json.')
  if (!/^[1-9]\d{0,2}$/.test(workers)) return misuse('--workers takes a whole number from 1 to 999.')
  return { kind: 'relay', config, port: toNumber(port), adminPort: toNumber(adminPort), log, workers: Number(workers) }
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
