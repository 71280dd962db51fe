import type * as z from 'zod'
import type { Meter } from '../../meter/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { RelayLimits, RelayOptions } from '../contract.ts'
import { relaySchema } from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const DAY_MS = 86_400_000

const DEFAULT_LIMITS: RelayLimits = {
  maxWireBytes: 2 ** 20,
  maxBodyBytes: 8 * 2 ** 20,
  maxEventBytes: 64 * 2 ** 10,
  maxEventsPerBatch: 10_000,
  maxDepth: 32,
  maxEventAgeMs: 60 * DAY_MS,
  maxEventAheadMs: DAY_MS,
}

/** Options with every default filled in. */
export interface RelaySettings extends RelayOptions {
  readonly tenant: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly tokenLifeS: number
  readonly limits: RelayLimits
  readonly metersByName: ReadonlyMap<string, Meter>
}

/**
 * Fills in secrets from the environment, checks the whole and fills in the defaults.
 *
 * Errors: MetertapError bad_option that lists every problem, each with its key and its fix; `detail.problems` too.
 */
export function resolveConfig(config: unknown, environment: Environment): RelaySettings {
  const filled = fillSecrets(config, environment)
  const parsed = relaySchema.safeParse(filled)
  if (!parsed.success) throw badConfig(parsed.error.issues.map(describe))
  const options = filled as RelayOptions
  const limits = { ...DEFAULT_LIMITS, ...defined(options.limits ?? {}) }
  return {
    ...options,
    tenant: options.tenant ?? 'default',
    listen: { host: options.listen?.host ?? '127.0.0.1', port: options.listen?.port ?? 8787 },
    tokenLifeS: options.tokenLifeS ?? 900,
    limits,
    metersByName: new Map(options.meters.map(({ meter }) => [meter.name, meter])),
  }
}

function describe({ path, message }: z.core.$ZodIssue): string {
  const key = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return `${key === '' ? 'the configuration' : key.replace(/^\./, '')} ${message}`
}

function badConfig(problems: readonly string[]): MetertapError {
  const list = problems.map((problem) => `\n  - ${problem}`).join('')
  return new MetertapError('bad_option', `The relay's configuration does not fit:${list}`, { problems })
}

function fillSecrets(config: unknown, environment: Environment): unknown {
  if (!isRecord(config)) return config
  const adminKey = config.adminKey ?? environment.METERTAP_ADMIN_KEY
  const { upstream, grants } = config
  return {
    ...config,
    ...(adminKey === undefined ? {} : { adminKey }),
    ...(isRecord(upstream) ? { upstream: fillUpstream(upstream, environment) } : {}),
    ...(Array.isArray(grants) ? { grants: grants.map((grant) => fillGrant(grant, environment)) } : {}),
  }
}

function fillUpstream(upstream: Record<string, unknown>, environment: Environment): unknown {
  return {
    ...upstream,
    clientId: upstream.clientId ?? environment.METERTAP_ZUORA_CLIENT_ID,
    clientSecret: upstream.clientSecret ?? environment.METERTAP_ZUORA_CLIENT_SECRET,
  }
}

function fillGrant(grant: unknown, environment: Environment): unknown {
  if (!isRecord(grant)) return grant
  const variable = `METERTAP_GRANT_SECRET_${String(grant.keyId).replaceAll(/[^A-Za-z0-9]/g, '_')}`.toUpperCase()
  return { ...grant, secret: grant.secret ?? environment[variable] }
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
