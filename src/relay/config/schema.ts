import * as z from 'zod'
import { METER_NAME } from '../../meter/contract.ts'
import {
  credential,
  fix,
  isOrigin,
  isSafeUrl,
  isUnique,
  name,
  parseUrl,
  secret,
  strict,
  url,
  whole,
} from './schema-parts.ts'

const FIELD_NAMES = new Set(['id', 'account', 'device', 'meter', 'stream', 'seq', 'at'])

function isSchema(value: unknown): boolean {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject && typeof (value as { '~standard'?: { validate?: unknown } })['~standard']?.validate === 'function'
}

/** A meter may carry more than the relay reads, so its object is not strict. */
const meter = z.looseObject(
  {
    name: z
      .string(fix('give a name such as api_calls'))
      .regex(METER_NAME, fix('start with a letter; then letters, digits, _ . - up to 64 characters')),
    schema: z.custom<unknown>(isSchema, fix('give a Standard Schema, such as z.object({…})')),
  },
  fix('give what defineMeter() returned'),
)

const FIELD_FIX = 'give id, account, device, meter, stream, seq, at, data.<path> or a function'
const fieldSource = z.custom<unknown>(
  (value) =>
    typeof value === 'function' ||
    (typeof value === 'string' && (FIELD_NAMES.has(value) || /^data(\.[^.]+)+$/.test(value))),
  fix(FIELD_FIX),
)
const FIELDS_FIX = "give upstream field names, exactly one of them from 'id': the Deduplicator's key"
const fields = z
  .record(z.string(), fieldSource, fix(FIELDS_FIX))
  .refine((value) => Object.values(value).filter((source) => source === 'id').length === 1, fix(FIELDS_FIX))

const SAFE_URL_FIX = 'give an https:// URL without credentials (http:// on loopback only)'
const upstreamMeter = strict({
  meterGlobalId: name('the id in the meter’s upload URL').optional(),
  url: url(SAFE_URL_FIX, isSafeUrl).optional(),
  meterId: name("the meter's own id").optional(),
  fields,
  ordered: z.literal('account', fix("give 'account', or leave it out")).optional(),
  dedupWindowDays: whole(0, 18_250, 'days').optional(),
  whenUnmappable: z.enum(['hold', 'bury'], fix("give 'hold' or 'bury', or leave it out")).optional(),
}).refine(
  (value) => (value.meterGlobalId === undefined) !== (value.url === undefined),
  fix('give meterGlobalId or url, one of the two'),
)

const meters = z
  .array(strict({ meter, upstream: upstreamMeter }), fix('give a list of { meter, upstream }'))
  .min(1, fix('give at least one { meter, upstream }'))
  .refine((routes) => isUnique(routes.map((route) => route.meter?.name)), fix('give each meter once'))

const upstream = strict({
  restBase: url(`${SAFE_URL_FIX}, such as https://rest.zuora.com`, isSafeUrl),
  clientId: credential('METERTAP_ZUORA_CLIENT_ID'),
  clientSecret: credential('METERTAP_ZUORA_CLIENT_SECRET'),
  environment: z
    .enum(['api-sandbox', 'developer-sandbox', 'central-sandbox', 'production'], {
      error: fix('give api-sandbox, developer-sandbox, central-sandbox or production').error,
    })
    .optional(),
  entityIds: name("Zuora's entity ids").optional(),
  orgIds: name("Zuora's org ids").optional(),
  timeoutMs: whole(1, 600_000, 'milliseconds').optional(),
  maxCallsInFlight: whole(1, 64, 'calls').optional(),
})

const grants = z
  .array(
    strict({ keyId: name('app'), secret: secret('METERTAP_GRANT_SECRET_<KEY ID>') }),
    fix('give a list of { keyId, secret }'),
  )
  .refine((keys) => isUnique(keys.map(({ keyId }) => keyId)), fix('give each keyId once'))

const SESSION_ALGORITHM = /^(RS|PS|ES)(256|384|512)$|^EdDSA$|^Ed25519$/
const meterNames = z.array(
  z.string().regex(METER_NAME, fix('give names of meters')),
  fix('give a list of meter names; an empty list allows none'),
)
const sessions = z
  .array(
    strict({
      issuer: name('https://login.example.com (the iss of its tokens)'),
      audience: name('usage (the aud of its tokens)'),
      jwksUrl: url(SAFE_URL_FIX, isSafeUrl),
      algorithms: z
        .array(z.string().regex(SESSION_ALGORITHM, fix('RS256, PS256, ES256, EdDSA and their like: no shared secrets')))
        .min(1, fix('give at least one algorithm, or leave the key out'))
        .optional(),
      accountClaim: name('sub').optional(),
      deviceClaim: name('sid').optional(),
      meters: meterNames.max(100, fix('give at most 100 meters')),
      metersClaim: name('meters').optional(),
      ratePerMinute: whole(1, 1_000_000, 'requests').optional(),
    }),
    fix('give a list of { issuer, audience, jwksUrl, meters }'),
  )
  .refine((issuers) => isUnique(issuers.map(({ issuer }) => issuer)), fix('give each issuer once'))

const ORIGIN_FIX = 'give an origin without a path or a closing slash, such as https://app.example.com'
const origin = url(
  `${ORIGIN_FIX}; for Electron its own scheme, such as app://acme, or the text null for pages from files`,
  (value) => value === 'null' || isOrigin(value) || isOwnScheme(value),
)

/** What a browser sends for pages of a scheme that the application registered. */
function isOwnScheme(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+$/.test(text) && !/^(https?|file|data|blob|ws|wss):/.test(text)
}

const YEARS_50_MS = 50 * 366 * 86_400_000
const limits = strict({
  maxWireBytes: whole(1024, 64 * 2 ** 20, 'bytes').optional(),
  maxBodyBytes: whole(1024, 256 * 2 ** 20, 'bytes').optional(),
  maxEventBytes: whole(64, 64 * 2 ** 20, 'bytes').optional(),
  maxEventsPerBatch: whole(1, 1_000_000, 'events').optional(),
  maxDepth: whole(1, 256, 'levels').optional(),
  maxEventAgeMs: whole(1, YEARS_50_MS, 'milliseconds').optional(),
  maxEventAheadMs: whole(0, YEARS_50_MS, 'milliseconds').optional(),
  maxInflateRatio: whole(2, 2_000, 'times').optional(),
  maxValues: whole(1_000, 100_000_000, 'values').optional(),
  maxKeys: whole(1, 1_000_000, 'keys').optional(),
  maxStringChars: whole(16, 64 * 2 ** 20, 'characters').optional(),
  bodyTimeoutMs: whole(100, 600_000, 'milliseconds').optional(),
  maxOpenBytes: whole(2 ** 20, 2 ** 34, 'bytes').optional(),
  maxOpenPerDevice: whole(1, 10_000, 'requests').optional(),
  maxConnections: whole(1, 1_000_000, 'connections').optional(),
  addressPerMinute: whole(1, 10_000_000, 'requests').optional(),
  devicePerMinute: whole(1, 10_000_000, 'requests').optional(),
  accountPerMinute: whole(1, 10_000_000, 'requests').optional(),
  tenantPerMinute: whole(1, 10_000_000, 'requests').optional(),
  maxEventsPerAccountPerDay: whole(1, 2 ** 50, 'events').optional(),
  minFreeDiskBytes: whole(0, 2 ** 50, 'bytes').optional(),
  maxCommitMs: whole(1, 600_000, 'milliseconds').optional(),
  maxBacklogEvents: whole(1, 2 ** 50, 'events').optional(),
})

/** The bounds of agents: a wish beyond them would only look as if it were followed. */
const policy = strict({
  flushIntervalMs: whole(1_000, 3_600_000, 'milliseconds').optional(),
  maxBatchEvents: whole(1, 10_000, 'events').optional(),
  maxBatchBytes: whole(16 * 1024, 8 * 2 ** 20, 'bytes').optional(),
  holdMs: whole(1, 86_400_000, 'milliseconds').optional(),
})

const host = name('127.0.0.1').optional()
const port = whole(0, 65_535, 'port').optional()
const admin = strict({
  key: secret('METERTAP_ADMIN_KEY'),
  listen: strict({ host, port }).optional(),
  backupFolder: name('./backups').optional(),
})

const STORE_FIX = "give a file as 'sqlite', or 'postgres' (here or as METERTAP_POSTGRES_URL), one of the two"
const store = strict({
  sqlite: name('./usage.db').optional(),
  postgres: url('give a postgres://user:password@host/database URL, here or as METERTAP_POSTGRES_URL', (value) => {
    const place = parseUrl(value)
    return /^postgres(ql)?:$/.test(place?.protocol ?? '') && (place?.pathname ?? '').length > 1
  }).optional(),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,39}$/, fix('give a name of small letters, digits and _, at most 40'))
    .optional(),
  maxConnections: whole(2, 1_000, 'connections').optional(),
})
  .refine(({ sqlite, postgres }) => (sqlite === undefined) !== (postgres === undefined), fix(STORE_FIX))
  .refine(
    ({ sqlite, schema, maxConnections }) => sqlite === undefined || (schema ?? maxConnections) === undefined,
    fix('give schema and maxConnections with postgres only'),
  )

const PROOF_FIX = 'give at least one key of "grants" or one issuer of "sessions": without one nobody can get a token'

export const relaySchema: z.ZodType<unknown> = strict({
  tenant: name('default').optional(),
  listen: strict({ host, port, trustedProxies: whole(0, 16, 'proxies').optional() }).optional(),
  publicUrl: url(`${ORIGIN_FIX} (https://, or http:// on loopback)`, (value) => isSafeUrl(value) && isOrigin(value)),
  store,
  meters,
  upstream,
  grants: grants.optional(),
  sessions: sessions.optional(),
  origins: z.array(origin, fix('give a list of browser origins')),
  admin: admin.optional(),
  limits: limits.optional(),
  policy: policy.optional(),
  idempotencyWindowDays: whole(1, 400, 'days').optional(),
  tokenLifeS: whole(600, 900, 'seconds').optional(),
  reconcileEveryHours: whole(1, 8_760, 'hours').optional(),
  signingKeyDays: whole(1, 3_650, 'days').optional(),
}).refine(({ grants: keys = [], sessions: issuers = [] }) => keys.length + issuers.length > 0, {
  ...fix(PROOF_FIX),
  path: ['grants'],
})
