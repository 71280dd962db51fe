import { parseArgs } from 'node:util'

import { FRAMEWORKS, type Framework } from './init/contract.ts'

export type LogFormat = 'plain' | 'json'

/** What was asked for, and a file with variables that it is to have. */
export type Command = Asked & { readonly envFile?: string }

type Asked =
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
  | { readonly kind: 'init'; readonly framework: Framework; readonly isDryRun: boolean }
  | { readonly kind: 'dev-upstream'; readonly config: string }
  | { readonly kind: 'explain'; readonly code: string | undefined }
  /** From a SQLite file to PostgreSQL; without an address: METERTAP_POSTGRES_URL. */
  | { readonly kind: 'copy'; readonly from: string; readonly to: string | undefined; readonly schema: string }
  /** The command line cannot be understood; `problem` says why. */
  | { readonly kind: 'misuse'; readonly problem: string }

interface Values {
  readonly config: string
  readonly port?: string | undefined
  readonly 'admin-port'?: string | undefined
  readonly workers: string
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly schema: string
  readonly log: string
  readonly framework: string
  readonly 'dry-run'?: boolean | undefined
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
        env: { type: 'string', short: 'e' },
        framework: { type: 'string', default: 'vanilla' },
        'dry-run': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
    if (values.help) return { kind: 'help' }
    if (values.version) return { kind: 'version' }
    const envFile = values.env
    return { ...commandOf(positionals, values), ...(envFile === undefined ? {} : { envFile }) }
  } catch (error) {
    return misuse((error as Error).message)
  }
}

function commandOf([name, ...rest]: readonly string[], values: Values): Command {
  const { config } = values
  if (name === undefined) return misuse('A command is missing.')
  if (name === 'meters') return rest.length === 0 ? { kind: 'meters', config } : tooMany(rest[0])
  if (name === 'init') return rest.length === 0 ? initCommand(values) : tooMany(rest[0])
  if (name === 'dev-upstream') return rest.length === 0 ? { kind: name, config } : tooMany(rest[0])
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

function initCommand({ framework, 'dry-run': isDryRun = false }: Values): Command {
  const known = FRAMEWORKS.find((each) => each === framework)
  if (known === undefined) return misuse(`--framework takes ${FRAMEWORKS.join(', ')}.`)
  return { kind: 'init', framework: known, isDryRun }
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
