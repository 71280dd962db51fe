import { describe, expect, test } from 'vitest'
import { type RelaySettings, resolveConfig } from '../../src/relay/config/resolve-config.ts'
import { createRelay, defineRelayConfig, type MetertapError } from '../../src/relay.ts'
import { ADMIN_KEY, calls, GRANT_SECRET, route, storage } from '../support/relay-fixture.ts'

function resolve(
  config: unknown,
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): RelaySettings {
  const readFile = (path: string): string => {
    if (files[path] === undefined) throw new Error('ENOENT')
    return files[path]
  }
  return resolveConfig(config, { environment, readFile })
}

const grants = [{ keyId: 'app', secret: GRANT_SECRET }]
const good = defineRelayConfig({
  publicUrl: 'https://usage.example.com',
  store: { sqlite: './usage.db' },
  meters: [route(calls)],
  upstream: { restBase: 'https://rest.zuora.com', clientId: 'id', clientSecret: 'secret' },
  grants,
  origins: ['https://app.example.com', 'http://localhost:5173', 'null'],
})

function problemsOf(config: unknown, environment: Record<string, string> = {}): string[] {
  try {
    resolve(config, environment)
    return []
  } catch (error) {
    const { code, detail } = error as MetertapError
    expect(code).toBe('bad_option')
    return detail.problems as string[]
  }
}

/** `good` with the value at a path replaced (undefined: taken away). */
function change(path: string, value: unknown): unknown {
  const copy: Record<string, unknown> = { ...good, listen: {}, limits: {}, upstream: { ...good.upstream } }
  copy.meters = [{ meter: { ...calls }, upstream: { ...good.meters[0]?.upstream } }]
  copy.grants = [{ ...grants[0] }]
  const keys = path.split('.')
  const last = keys.pop() as string
  let place = copy
  for (const key of keys) place = place[key] as Record<string, unknown>
  if (value === undefined) delete place[last]
  else place[last] = value
  return copy
}

test('defaults are those of the contract', () => {
  expect(resolve(good)).toMatchObject({
    tenant: 'default',
    listen: { host: '127.0.0.1', port: 8787 },
    tokenLifeS: 900,
    limits: {
      maxWireBytes: 1_048_576,
      maxBodyBytes: 8_388_608,
      maxEventBytes: 65_536,
      maxEventsPerBatch: 10_000,
      maxDepth: 32,
      maxEventAgeMs: 5_184_000_000,
      maxEventAheadMs: 86_400_000,
    },
  })
})

test('what is given stands, and the rest keeps its default', () => {
  const limits = { maxDepth: 3, maxEventBytes: undefined as never }
  const settings = resolve({ ...good, tenant: 't', listen: { port: 0 }, limits, tokenLifeS: 660 })
  expect(settings).toMatchObject({ tenant: 't', listen: { host: '127.0.0.1', port: 0 }, tokenLifeS: 660 })
  expect(settings.limits).toMatchObject({ maxDepth: 3, maxEventBytes: 65_536 })
})

describe('secrets', () => {
  const bare = {
    ...good,
    upstream: { restBase: 'https://rest.zuora.com' },
    grants: [{ keyId: 'web-app.2' }, { keyId: 'app', secret: GRANT_SECRET }],
  }
  const environment = {
    METERTAP_ZUORA_CLIENT_ID: 'id from outside',
    METERTAP_ZUORA_CLIENT_SECRET: 'secret from outside',
    METERTAP_ADMIN_KEY: ADMIN_KEY,
    METERTAP_GRANT_SECRET_WEB_APP_2: 'grant secret from outside, long enough',
    METERTAP_GRANT_SECRET_APP: 'not used, since the configuration has one',
  }

  test('may come from the environment; the configuration goes before it', () => {
    expect(resolve(bare, environment)).toMatchObject({
      upstream: { clientId: 'id from outside', clientSecret: 'secret from outside' },
      admin: { key: ADMIN_KEY, listen: { host: '127.0.0.1', port: 8788 } },
      grants: [{ secret: 'grant secret from outside, long enough' }, { secret: GRANT_SECRET }],
    })
  })

  test('may come from files; the variable goes before its file', () => {
    const files = { '/run/secrets/zuora': 'secret from a file\n', '/run/secrets/admin': `${ADMIN_KEY}\r\n` }
    const { METERTAP_ZUORA_CLIENT_SECRET: _, METERTAP_ADMIN_KEY: __, ...rest } = environment
    const variables = {
      ...rest,
      METERTAP_ZUORA_CLIENT_ID_FILE: '/not/read',
      METERTAP_ZUORA_CLIENT_SECRET_FILE: '/run/secrets/zuora',
      METERTAP_ADMIN_KEY_FILE: '/run/secrets/admin',
    }
    expect(resolve(bare, variables, files)).toMatchObject({
      upstream: { clientId: 'id from outside', clientSecret: 'secret from a file' },
      admin: { key: ADMIN_KEY },
    })
  })

  test('name the file that cannot be read', () => {
    const { METERTAP_ADMIN_KEY: _, ...rest } = environment
    expect(problemsOf(bare, { ...rest, METERTAP_ADMIN_KEY_FILE: '/nowhere' })).toEqual([
      'METERTAP_ADMIN_KEY_FILE names a file that cannot be read: /nowhere',
    ])
  })

  test('name the variable when they are in neither', () => {
    expect(problemsOf(bare)).toEqual([
      expect.stringMatching(/^upstream\.clientId is missing: .*METERTAP_ZUORA_CLIENT_ID$/),
      expect.stringMatching(/^upstream\.clientSecret is missing: .*METERTAP_ZUORA_CLIENT_SECRET$/),
      expect.stringMatching(/^grants\[0\]\.secret is missing: .*METERTAP_GRANT_SECRET_<KEY ID>$/),
    ])
  })

  test('are never in an error', () => {
    const short = 'short-secret'
    const config = { ...good, grants: [{ keyId: 'app', secret: short }], admin: { key: short }, tenant: 7 }
    const problems = problemsOf(config)
    expect(problems).toHaveLength(3)
    expect(problems.join()).not.toContain(short)
  })
})

const session = {
  ...{ issuer: 'https://login.example.com', audience: 'usage', jwksUrl: 'https://login.example.com/jwks' },
  meters: ['calls'],
}
const cases: [path: string, value: unknown, problem: RegExp][] = [
  ['publicUrl', undefined, /^publicUrl is missing: give an origin/],
  ['publicUrl', 'http://usage.example.com', /^publicUrl does not fit: .*https/],
  ['publicUrl', 'https://usage.example.com/', /^publicUrl does not fit: .*closing slash/],
  ['publicUrl', 'https://usage.example.com/path', /^publicUrl does not fit/],
  ['publicUrl', 'usage', /^publicUrl does not fit/],
  ['store', undefined, /^store is missing: give an object with sqlite/],
  ['store', { sqlite: '' }, /^store\.sqlite does not fit/],
  ['store', { sqlite: 'a', wal: true }, /^store has an unknown key wal: known are sqlite/],
  ['store', {}, /^store does not fit: give a file as 'sqlite', or 'postgres' \(here or as METERTAP_POSTGRES_URL\)/],
  ['store', { sqlite: 'a', postgres: 'postgres://u:p@h/d' }, /^store does not fit: .*one of the two/],
  ['store', { sqlite: 'a', schema: 'usage' }, /^store does not fit: give schema and maxConnections with postgres only/],
  [
    'store',
    { postgres: 'mysql://u:private@h/d' },
    /^store\.postgres does not fit: give a postgres:\/\/user:password@host/,
  ],
  ['store', { postgres: 'postgres://u:private@h/d', schema: 'a b' }, /^store\.schema does not fit/],
  ['store', { postgres: 'postgres://u:private@h/d', maxConnections: 1 }, /^store\.maxConnections does not fit/],
  ['meters', [], /^meters does not fit: give at least one/],
  ['meters', 'calls', /^meters does not fit: give a list/],
  ['meters', [route(storage), route(storage)], /^meters does not fit: give each meter once/],
  ['meters.0.meter.name', '1st', /^meters\[0\]\.meter\.name does not fit: start with a letter/],
  ['meters.0.meter.schema', { parse: () => {} }, /^meters\[0\]\.meter\.schema does not fit: give a Standard Schema/],
  ['meters.0.upstream.meterGlobalId', undefined, /^meters\[0\]\.upstream does not fit: give meterGlobalId or url/],
  [
    'meters.0.upstream.url',
    'https://rest.zuora.com/usage/bulk/x',
    /^meters\[0\]\.upstream does not fit: give meterGlobalId or url/,
  ],
  ['meters.0.upstream.fields', {}, /^meters\[0\]\.upstream\.fields does not fit: .*exactly one/],
  ['meters.0.upstream.fields', { A: 'id', B: 'id' }, /^meters\[0\]\.upstream\.fields does not fit: .*exactly one/],
  [
    'meters.0.upstream.fields',
    { A: 'id', B: 'quantity' },
    /^meters\[0\]\.upstream\.fields\.B does not fit: give id, account/,
  ],
  ['upstream.restBase', 'http://rest.zuora.com', /^upstream\.restBase does not fit: .*https/],
  ['upstream.restBase', 'https://user:pass@rest.zuora.com', /^upstream\.restBase does not fit/],
  ['upstream.environment', 'test', /^upstream\.environment does not fit: give api-sandbox/],
  ['upstream.timeoutMs', 0, /^upstream\.timeoutMs does not fit: give a whole number from 1/],
  ['grants', [], /^grants does not fit: give at least one key of "grants" or one issuer of "sessions"/],
  ['grants', [grants[0], grants[0]], /^grants does not fit: give each keyId once/],
  ['grants.0.secret', 'x'.repeat(31), /^grants\[0\]\.secret does not fit: give at least 32 random bytes/],
  ['origins', ['*'], /^origins\[0\] does not fit: give an origin/],
  ['origins', ['https://app.example.com/'], /^origins\[0\] does not fit/],
  ['origins', undefined, /^origins is missing/],
  ['admin', { key: 'x' }, /^admin\.key does not fit: .*METERTAP_ADMIN_KEY/],
  ['listen.port', 65_536, /^listen\.port does not fit: give a whole number from 0 to 65535/],
  ['listen.port', '8787', /^listen\.port does not fit/],
  ['limits.maxDepth', 0, /^limits\.maxDepth does not fit/],
  ['limits.maxEvents', 5, /^limits has an unknown key maxEvents: known are maxWireBytes, maxBodyBytes/],
  ['tokenLifeS', 599, /^tokenLifeS does not fit: give a whole number from 600 to 900/],
  ['signingKeyDays', 0, /^signingKeyDays does not fit: give a whole number from 1 to 3650 \(days\)/],
  ['listen.trustedProxies', -1, /^listen\.trustedProxies does not fit/],
  ['limits.addressPerMinute', 0, /^limits\.addressPerMinute does not fit/],
  ['limits.maxInflateRatio', 1, /^limits\.maxInflateRatio does not fit/],
  ['limits.maxEventsPerAccountPerDay', 0.5, /^limits\.maxEventsPerAccountPerDay does not fit/],
  ['admin', {}, /^admin\.key is missing: .*METERTAP_ADMIN_KEY/],
  ['admin', { key: ADMIN_KEY, port: 1 }, /^admin has an unknown key port: known are key, listen, backupFolder/],
  ['sessions', [{ ...session, audience: '' }], /^sessions\[0\]\.audience does not fit/],
  [
    'sessions',
    [{ ...session, jwksUrl: 'http://a.example.com' }],
    /^sessions\[0\]\.jwksUrl does not fit: give an https/,
  ],
  [
    'sessions',
    [{ ...session, algorithms: ['HS256'] }],
    /^sessions\[0\]\.algorithms\[0\] does not fit: .*no shared secrets/,
  ],
  ['sessions', [{ ...session, algorithms: ['none'] }], /^sessions\[0\]\.algorithms\[0\] does not fit/],
  ['sessions', [{ ...session, meters: ['no meter'] }], /^sessions\[0\]\.meters\[0\] does not fit/],
  ['sessions', [session, session], /^sessions does not fit: give each issuer once/],
  ['origins', ['*'], /^origins\[0\] does not fit/],
  ['origins', ['app://*'], /^origins\[0\] does not fit/],
  ['origins', ['file://'], /^origins\[0\] does not fit/],
  ['tokenLifeS', 901, /^tokenLifeS does not fit: give a whole number from 600 to 900/],
  ['tenants', 'x', /^the configuration has an unknown key tenants: known are tenant, listen/],
  ['policy', { flushIntervalMs: 999 }, /^policy.flushIntervalMs does not fit: .* from 1000 to 3600000/],
  ['policy', { maxBatchEvents: 0 }, /^policy.maxBatchEvents does not fit/],
  ['policy', { maxBatchBytes: 100 }, /^policy.maxBatchBytes does not fit/],
  ['policy', { holdMs: 86_400_001 }, /^policy.holdMs does not fit/],
  ['policy', { pauseMs: 1 }, /^policy has an unknown key pauseMs: known are flushIntervalMs/],
  ['meters.0.upstream.whenUnmappable', 'drop', /whenUnmappable does not fit: give 'hold' or 'bury'/],
]
test.each(cases)('%s = %j', (path, value, problem) => {
  expect(problemsOf(change(path, value))).toEqual([expect.stringMatching(problem)])
})

test.each([[undefined], [null], [42], [[]]])('%j is no configuration', (config) => {
  expect(problemsOf(config)).toEqual([
    expect.stringMatching(/^the configuration (is missing|does not fit): give an object/),
  ])
})

test('what is allowed beside the usual', () => {
  expect(problemsOf(change('meters.0.upstream.whenUnmappable', 'bury'))).toEqual([])
  expect(problemsOf(change('policy', { flushIntervalMs: 60_000, maxBatchEvents: 500, holdMs: 1_000 }))).toEqual([])
  expect(problemsOf({ ...good, grants: undefined, sessions: [session] })).toEqual([])
  expect(problemsOf(change('origins', ['app://acme', 'null']))).toEqual([])
  expect(problemsOf(change('publicUrl', 'http://127.0.0.1:8787'))).toEqual([])
  expect(problemsOf(change('publicUrl', 'http://localhost:8787'))).toEqual([])
  expect(problemsOf(change('publicUrl', 'http://[::1]:8787'))).toEqual([])
  expect(problemsOf(change('meters.0.upstream.fields', { A: 'id', B: 'data.a.b', C: () => 1 }))).toEqual([])
})

test('createRelay lists every problem in one message', async () => {
  const refused = createRelay({ ...good, publicUrl: 'x', origins: 'y' as never }, { environment: {} })
  await expect(refused).rejects.toThrow(/configuration does not fit:\n {2}- publicUrl .*\n {2}- origins /)
})

test('the database’s address comes from the environment or a file, and no problem tells it', () => {
  const config = { ...good, store: {} }
  const url = 'postgres://relay:private@db.internal:5432/usage'
  expect(resolve(config, { METERTAP_POSTGRES_URL: url }).store).toEqual({ postgres: url })
  expect(resolve(config, { METERTAP_POSTGRES_URL_FILE: '/run/url' }, { '/run/url': `${url}\n` }).store).toEqual({
    postgres: url,
  })
  // A file that is named stays.
  expect(resolve(good, { METERTAP_POSTGRES_URL: url }).store).toEqual({ sqlite: './usage.db' })
  const problems = problemsOf(
    { ...config, origins: 'x' },
    { METERTAP_POSTGRES_URL: 'postgres://relay:private@db.internal' },
  )
  expect(problems).toHaveLength(2)
  expect(problems.join()).not.toContain('private')
})
