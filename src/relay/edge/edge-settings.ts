import { MetertapError } from '../../wire/errors.ts'
import type { RelayConfig } from '../config/define-config.ts'
import { type RelaySettings, resolveConfig } from '../config/resolve-config.ts'

/** Options of the relay on Workers: those of a relay, without what a Worker has no use for. */
export interface RelayWorkerOptions extends Omit<RelayConfig, 'store' | 'listen' | 'admin'> {
  /**
   * Durable Objects that take and forward events, by account; each takes some thousand events a second. Fixed for good
   * with the first request: an account's streams are known to its own shard only. Default 4, at most 128.
   */
  readonly shards?: number
  /** How long a small backlog waits for more before it is sent, ms; shards send apart from one another. Default 1,000. */
  readonly lingerMs?: number
}

/** Options with secrets and defaults filled in. */
export interface EdgeSettings extends RelaySettings {
  readonly shards: number
  readonly lingerMs: number
}

const DEFAULT_SHARDS = 4
/** The operator's requests ask every shard up to four things, and a Worker's request has 1,000 subrequests. */
const MAX_SHARDS = 128
const DEFAULT_LINGER_MS = 1_000
const MAX_LINGER_MS = 60_000
/** A row of a Durable Object has 2 MB, and a character of an event up to three bytes. */
const MAX_EVENT_BYTES = 500_000

const NOT_HERE = ['store', 'listen', 'admin']

/** Errors: MetertapError bad_option, which lists every problem of the options and names the bindings for secrets. */
export function resolveEdgeSettings(options: RelayWorkerOptions, env: object): EdgeSettings {
  const { shards = DEFAULT_SHARDS, lingerMs = DEFAULT_LINGER_MS, ...config } = options
  requireWhole('shards', shards, 1, MAX_SHARDS)
  requireWhole('lingerMs', lingerMs, 0, MAX_LINGER_MS)
  requireWhole('limits.maxEventBytes', config.limits?.maxEventBytes ?? 1, 1, MAX_EVENT_BYTES)
  for (const option of NOT_HERE) {
    if (!(option in config)) continue
    throw new MetertapError('bad_option', `${option} has no meaning in a Worker: leave it out.`, { option })
  }
  // The schema asks for a place of the store; here it is the objects' own.
  const settings = resolveConfig(
    { ...config, store: { sqlite: 'durable-objects' } },
    { environment: textsOf(env), readFile },
  )
  return { ...settings, shards, lingerMs }
}

/** Bindings that are texts: variables and secrets. */
function textsOf(env: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function readFile(): never {
  throw new MetertapError('bad_option', 'A Worker has no files: give the secret as a binding.')
}

function requireWhole(name: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value) && value >= from && value <= to) return
  throw new MetertapError('bad_option', `${name} does not fit: give a whole number from ${from} to ${to}.`, {
    option: name,
  })
}
