import * as z from 'zod'
import { METER_NAME } from '../../meter/contract.ts'
import { byteLength, MIN_SECRET_BYTES } from '../tokens/grant.ts'

const FIELD_NAMES = new Set(['id', 'account', 'device', 'meter', 'stream', 'seq', 'at'])

/** Every message says how to mend the key; the key's path is put before it. */
function fix(text: string): { error: (issue: { input?: unknown }) => string } {
  return { error: ({ input }) => `${input === undefined ? 'is missing' : 'does not fit'}: ${text}` }
}

/** An object without other keys: an option that nobody reads is a mistake. */
function strict<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return `has an unknown key ${issue.keys.join(', ')}: known are ${known}`
      return `${issue.input === undefined ? 'is missing' : 'does not fit'}: give an object with ${known}`
    },
  })
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/** https anywhere, http on this machine only: tokens and secrets travel over it. */
function isSafeUrl(text: string): boolean {
  const url = parseUrl(text)
  if (url === undefined || url.username !== '' || url.password !== '') return false
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)
}

function isOrigin(text: string): boolean {
  return parseUrl(text)?.origin === text
}

const name = (example: string): z.ZodString => {
  const { error } = fix(`give a text of 1 to 200 characters, such as ${example}`)
  return z.string({ error }).min(1, { error }).max(200, { error })
}
const whole = (from: number, to: number, unit: string): z.ZodNumber => {
  const { error } = fix(`give a whole number from ${from} to ${to} (${unit})`)
  return z.int({ error }).min(from, { error }).max(to, { error })
}
const url = (text: string, check: (value: string) => boolean): z.ZodString =>
  z.string(fix(text)).refine(check, fix(text))
const secret = (variable: string): z.ZodString => {
  const text = `give at least ${MIN_SECRET_BYTES} random bytes (openssl rand -base64 32), here or as ${variable}`
  return z.string(fix(text)).refine((value) => byteLength(value) >= MIN_SECRET_BYTES, fix(text))
}
const credential = (variable: string): z.ZodString => {
  const { error } = fix(`give the one of Zuora's OAuth client, here or as ${variable}`)
  return z.string({ error }).min(1, { error })
}

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
  fields,
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
})

const grants = z
  .array(
    strict({ keyId: name('app'), secret: secret('METERTAP_GRANT_SECRET_<KEY ID>') }),
    fix('give a list of { keyId, secret }'),
  )
  .min(1, fix('give at least one { keyId, secret }: without one nobody can get a token'))
  .refine((keys) => isUnique(keys.map(({ keyId }) => keyId)), fix('give each keyId once'))

const ORIGIN_FIX = 'give an origin without a path or a closing slash, such as https://app.example.com'
const origin = url(
  `${ORIGIN_FIX}, or the text null for pages from files`,
  (value) => value === 'null' || isOrigin(value),
)

const YEARS_50_MS = 50 * 366 * 86_400_000
const limits = strict({
  maxWireBytes: whole(1024, 64 * 2 ** 20, 'bytes').optional(),
  maxBodyBytes: whole(1024, 256 * 2 ** 20, 'bytes').optional(),
  maxEventBytes: whole(64, 64 * 2 ** 20, 'bytes').optional(),
  maxEventsPerBatch: whole(1, 1_000_000, 'events').optional(),
  maxDepth: whole(1, 256, 'levels').optional(),
  maxEventAgeMs: whole(1, YEARS_50_MS, 'milliseconds').optional(),
  maxEventAheadMs: whole(0, YEARS_50_MS, 'milliseconds').optional(),
})

export const relaySchema: z.ZodType<unknown> = strict({
  tenant: name('default').optional(),
  listen: strict({ host: name('127.0.0.1').optional(), port: whole(0, 65_535, 'port').optional() }).optional(),
  publicUrl: url(`${ORIGIN_FIX} (https://, or http:// on loopback)`, (value) => isSafeUrl(value) && isOrigin(value)),
  store: strict({ sqlite: name('./usage.db') }),
  meters,
  upstream,
  grants,
  origins: z.array(origin, fix('give a list of browser origins')),
  adminKey: secret('METERTAP_ADMIN_KEY').optional(),
  limits: limits.optional(),
  tokenLifeS: whole(30, 900, 'seconds').optional(),
})

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length
}
