import type * as z from 'zod'
import type { Meter } from '../../meter/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { AdminOptions, RelayLimits, RelayOptions } from '../contract.ts'
import { fillSecrets, type SecretSources } from './fill-secrets.ts'
import { relaySchema } from './schema.ts'

const DAY_MS = 86_400_000
const MIB = 2 ** 20

const DEFAULT_LIMITS: RelayLimits = {
  maxWireBytes: MIB,
  maxBodyBytes: 8 * MIB,
  maxInflateRatio: 200,
  maxValues: 1_000_000,
  maxEventBytes: 64 * 2 ** 10,
  maxEventsPerBatch: 10_000,
  maxDepth: 32,
  maxKeys: 1_000,
  maxStringChars: 64 * 2 ** 10,
  maxEventAgeMs: 60 * DAY_MS,
  maxEventAheadMs: DAY_MS,
  bodyTimeoutMs: 30_000,
  maxOpenBytes: 32 * MIB,
  maxOpenPerDevice: 8,
  maxConnections: 10_000,
  addressPerMinute: 3_000,
  devicePerMinute: 600,
  accountPerMinute: 6_000,
  tenantPerMinute: 60_000,
  minFreeDiskBytes: 256 * MIB,
  maxCommitMs: 5_000,
  maxBacklogEvents: 50_000_000,
}

/** Options with every default filled in. */
export interface RelaySettings extends Omit<RelayOptions, 'admin'> {
  readonly tenant: string
  readonly listen: Required<NonNullable<RelayOptions['listen']>>
  readonly grants: NonNullable<RelayOptions['grants']>
  readonly sessions: NonNullable<RelayOptions['sessions']>
  readonly admin?: AdminSettings
  readonly tokenLifeS: number
  readonly signingKeyDays: number
  readonly limits: RelayLimits
  readonly metersByName: ReadonlyMap<string, Meter>
}

export interface AdminSettings extends AdminOptions {
  readonly listen: { readonly host: string; readonly port: number }
}

/**
 * Fills in secrets from the environment and from files, checks the whole and fills in the defaults.
 *
 * Errors: MetertapError bad_option that lists every problem, each with its key and its fix; `detail.problems` too.
 */
export function resolveConfig(config: unknown, sources: SecretSources): RelaySettings {
  const { filled, problems } = fillSecrets(config, sources)
  const parsed = relaySchema.safeParse(filled)
  const all = [...problems, ...(parsed.error?.issues.map(describe) ?? [])]
  if (all.length > 0) throw badConfig(all)
  const { admin, ...options } = filled as RelayOptions
  return {
    ...options,
    tenant: options.tenant ?? 'default',
    listen: { host: '127.0.0.1', port: 8787, trustedProxies: 0, ...defined(options.listen ?? {}) },
    grants: options.grants ?? [],
    sessions: options.sessions ?? [],
    ...(admin === undefined ? {} : { admin: withListen(admin) }),
    tokenLifeS: options.tokenLifeS ?? 900,
    signingKeyDays: options.signingKeyDays ?? 30,
    limits: { ...DEFAULT_LIMITS, ...defined(options.limits ?? {}) },
    metersByName: new Map(options.meters.map(({ meter }) => [meter.name, meter])),
  }
}

function withListen(admin: AdminOptions): AdminSettings {
  return { ...admin, listen: { host: '127.0.0.1', port: 8788, ...defined(admin.listen ?? {}) } }
}

function describe({ path, message }: z.core.$ZodIssue): string {
  const key = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return `${key === '' ? 'the configuration' : key.replace(/^\./, '')} ${message}`
}

function badConfig(problems: readonly string[]): MetertapError {
  const list = problems.map((problem) => `\n  - ${problem}`).join('')
  return new MetertapError('bad_option', `The relay's configuration does not fit:${list}`, { problems })
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
}
