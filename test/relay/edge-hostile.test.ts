import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { base64url, decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGrant } from '../../src/relay.ts'
import { ADMIN_KEY, GRANT_SECRET, ORIGIN } from '../support/addresses.ts'
import { readAnswer, readProblem } from '../support/relay-fixture.ts'
import { createMortalEdge, type MortalRelay } from './support/kill-again.ts'
import { batchFor } from './support/neighbour.ts'
import { type Attacked, startAttacked } from './support/relay-under-attack.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }
const GZIP = { ...JSON_TYPE, 'Content-Encoding': 'gzip' }

interface Target {
  readonly url: string
  readonly adminUrl: string
  readonly token: string
}

let folder: string
let node: Attacked
let edge: MortalRelay
let targets: { readonly node: Target; readonly edge: Target }
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-edge-hostile-'))
  node = await startAttacked()
  edge = createMortalEdge(folder, 'http://127.0.0.1:9')
  await edge.start().listens
  const { url, adminUrl } = await edge.addresses()
  targets = {
    node: { url: node.url, adminUrl: '', token: await tokenOf(node.url, 'mallory') },
    edge: { url, adminUrl, token: await tokenOf(url, 'mallory') },
  }
})
afterAll(async () => {
  await edge.kill()
  await node.close()
  rmSync(folder, { recursive: true })
})

async function grantFor(account: string): Promise<string> {
  return await createGrant({ keyId: 'app', secret: GRANT_SECRET, account, device: 'd', meters: ['calls', 'loose'] })
}

async function tokenOf(url: string, account: string): Promise<string> {
  const body = JSON.stringify({ grant: await grantFor(account) })
  const response = await fetch(`${url}/v1/token`, { method: 'POST', headers: JSON_TYPE, body })
  return ((await response.json()) as { token: string }).token
}

interface Sent {
  readonly path?: string
  readonly method?: string
  readonly body?: Uint8Array | string | ReadableStream
  readonly headers?: Record<string, string>
}

async function send({ url, token }: Target, sent: Sent): Promise<Response> {
  const { path = '/v1/events', method = 'POST', body, headers = JSON_TYPE } = sent
  return await fetch(`${url}${path}`, {
    ...{ method, headers: { Authorization: `Bearer ${token}`, ...headers }, duplex: 'half' },
    ...(body === undefined ? {} : { body: body as BodyInit }),
  } as RequestInit)
}

const good = () => JSON.stringify(batchFor(randomUUID(), 0, 1))
const forged = (token: string, change: Record<string, unknown>): string => {
  const [head, , signature] = token.split('.')
  return `${head}.${base64url.encode(JSON.stringify({ ...decodeJwt(token), ...change }))}.${signature}`
}
function drip(): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      controller.enqueue(new Uint8Array([0x20]))
    },
  })
}

const REFUSALS: readonly [name: string, refusal: string, make: (target: Target) => Sent | Promise<Sent>][] = [
  // Which cap it meets first depends on the pieces in which it arrives.
  [
    '200 MB in 200 KB',
    '413 inflated_too_large or ratio_too_high',
    () => ({ body: gzipSync(Buffer.alloc(200_000_000)), headers: GZIP }),
  ],
  ['a body beyond the ratio', '413 ratio_too_high', () => ({ body: gzipSync(Buffer.alloc(6_000_000)), headers: GZIP })],
  ['a body too large on the wire', '413 body_too_large', () => ({ body: new Uint8Array(2 ** 20 + 1).fill(32) })],
  ['half a gzip stream', '400 not_gzip', () => ({ body: gzipSync(good()).subarray(0, -9), headers: GZIP })],
  ['what is no gzip', '400 not_gzip', () => ({ body: good(), headers: GZIP })],
  [
    'another encoding',
    '415 unsupported_encoding',
    () => ({ body: good(), headers: { ...JSON_TYPE, 'Content-Encoding': 'br' } }),
  ],
  ['another type', '415 unsupported_media_type', () => ({ body: good(), headers: { 'Content-Type': 'text/html' } })],
  ['no JSON', '400 not_json', () => ({ body: '{"v":1' })],
  [
    'two million values',
    '413 too_complex',
    () => ({
      body: gzipSync(Buffer.from(`[${Array.from({ length: 2_000_000 }, (_, i) => i % 7).join()}]`), { level: 1 }),
      headers: GZIP,
    }),
  ],
  ['100,000 levels', '400 invalid_batch', () => ({ body: `${'['.repeat(100_000)}${']'.repeat(100_000)}` })],
  ['another version', '400 unsupported_version', () => ({ body: good().replace('"v":1', '"v":2') })],
  ['too many events', '413 too_many_events', () => ({ body: JSON.stringify(batchFor(randomUUID(), 0, 10_001)) })],
  ['a body by the drop', '408 body_timeout', () => ({ body: drip() })],
  ['no token', '401 unauthorized', () => ({ body: good(), headers: { ...JSON_TYPE, Authorization: '' } })],
  [
    'another’s name in the token',
    '401 unauthorized',
    ({ token }) => ({
      body: good(),
      headers: { ...JSON_TYPE, Authorization: `Bearer ${forged(token, { sub: 'victim' })}` },
    }),
  ],
  ['a grant that is none', '401 invalid_grant', () => ({ path: '/v1/token', body: '{"grant":"x.y.z"}' })],
  [
    'a request for a token that does not fit',
    '400 invalid_request',
    () => ({ path: '/v1/token', body: '{"grants":1}' }),
  ],
  [
    'a grant used twice',
    '401 grant_used',
    async (target) => {
      const body = JSON.stringify({ grant: await grantFor('twice') })
      await (await send(target, { path: '/v1/token', body })).text()
      return { path: '/v1/token', body }
    },
  ],
  [
    'an exit batch without a token',
    '401 unauthorized',
    () => ({ path: '/v1/exit', body: good(), headers: { 'Content-Type': 'text/plain' } }),
  ],
  ['a method', '405 method_not_allowed', () => ({ method: 'DELETE' })],
  ['a path', '404 not_found', () => ({ method: 'GET', path: '/v1/ledger' })],
]

/** Events between two good ones. */
const VERDICTS: readonly [name: string, code: string, event: () => string][] = [
  ['too deep', 'too_deep', () => `["loose",${Date.now()},${'['.repeat(100)}${']'.repeat(100)}]`],
  ['__proto__', 'forbidden_key', () => `["loose",${Date.now()},{"__proto__":{"isAdmin":true}}]`],
  ['an unknown meter', 'unknown_meter', () => `["other",${Date.now()},{}]`],
  ['too old', 'too_old', () => '["calls",0,{"quantity":1}]'],
  ['ahead', 'too_far_ahead', () => `["calls",${Date.now() + 2 * 86_400_000},{"quantity":1}]`],
  ['no time', 'bad_time', () => '["calls","now",{"quantity":1}]'],
  ['other data', 'invalid_data', () => `["calls",${Date.now()},{"quantity":"many"}]`],
  ['too large', 'event_too_large', () => `["loose",${Date.now()},["${'x'.repeat(60_000)}","${'y'.repeat(60_000)}"]]`],
]

describe.each(['node', 'edge'] as const)('hostile input at the relay on %s', (where) => {
  test.each(REFUSALS)('%s is refused: %s', async (_, refusal, make) => {
    const target = targets[where]
    const { status, code } = await readProblem(await send(target, await make(target)))
    const [, wantedStatus, wantedCodes = ''] = /^(\d+) (.+)$/.exec(refusal) ?? []
    expect(status).toBe(Number(wantedStatus))
    expect(wantedCodes.split(' or ')).toContain(code)
  })

  test.each(VERDICTS)('%s costs nothing but itself: %s', async (_, code, event) => {
    const stream = randomUUID()
    const fine = `["calls",${Date.now()},{"quantity":1}]`
    const report = `{"id":"${stream}","recorded":3,"dropped":{}}`
    const body = `{"v":1,"sentAt":0,"device":"d","streams":[${report}],"segments":[{"stream":"${stream}","first":0,"events":[${fine},${event()},${fine}]}]}`
    const answer = await readAnswer(await send(targets[where], { body }))
    expect(answer.received).toEqual({ [stream]: [[0, 0], [2, 2]] }) // biome-ignore format: one line shows the gap
    expect(answer.rejected).toMatchObject([{ stream, seq: 1, code }])
  })

  test('numbers with gaps by the thousand are capped', async () => {
    const stream = randomUUID()
    const segments = Array.from({ length: 5_000 }, (_, i) => ({
      ...{ stream, first: i * 1_000_000_007, events: [['calls', Date.now(), { quantity: 1 }]] },
    }))
    const batch = {
      v: 1,
      sentAt: 0,
      device: 'd',
      streams: [{ id: stream, recorded: Number.MAX_SAFE_INTEGER, dropped: {} }],
      segments,
    }
    const answer = await readAnswer(
      await send(targets[where], { body: gzipSync(JSON.stringify(batch)), headers: GZIP }),
    )
    expect(answer.received[stream]).toHaveLength(1_000)
    expect(new Set(answer.rejected.map(({ code }) => code))).toEqual(new Set(['too_many_gaps']))
  })

  test('an exit batch with its token inside is taken, and an origin of one’s own is not let in', async () => {
    const { url, token } = targets[where]
    const stream = randomUUID()
    const body = JSON.stringify({ ...batchFor(stream, 0, 2), token })
    const headers = { 'Content-Type': 'text/plain', Origin: ORIGIN }
    const response = await fetch(`${url}/v1/exit`, { method: 'POST', headers, body })
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect((await readAnswer(response)).received).toEqual({ [stream]: [[0, 1]] })
    const evil = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' }
    const preflight = await fetch(`${url}/v1/events`, { method: 'OPTIONS', headers: evil })
    expect(preflight.headers.get('access-control-allow-origin')).not.toBe('https://evil.example')
  })
})

describe('the operator at the edge', () => {
  const ask = (path: string, body?: unknown, key = ADMIN_KEY): Promise<Response> =>
    fetch(`${targets.edge.adminUrl}${path}`, {
      ...{ method: body === undefined ? 'GET' : 'POST', headers: { ...JSON_TYPE, Authorization: `Bearer ${key}` } },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  test('needs the key, on every path', async () => {
    for (const path of ['/v1/ledger', '/metrics', '/openapi.json', '/v1/dead-letters', '/', '']) {
      expect((await ask(path, undefined, `${ADMIN_KEY}x`)).status).toBe(401)
    }
  })

  test('revokes: the account’s tokens end within seconds, others go on', async () => {
    const { edge: target } = targets
    const [bad, fine] = [await tokenOf(target.url, 'leaver'), await tokenOf(target.url, 'stayer')]
    const status = async (token: string) => (await send({ ...target, token }, { body: good() })).status
    expect(await status(bad)).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect((await ask('/v1/revocations', { account: 'leaver' })).status).toBe(200)
    await expect.poll(() => status(bad), { timeout: 45_000 }).toBe(401)
    expect(await status(fine)).toBe(200)
    const { revocations } = (await (await ask('/v1/revocations')).json()) as { revocations: unknown[] }
    expect(revocations).toMatchObject([{ account: 'leaver' }])
  })

  test('pauses and resumes lanes, reads metrics, and is told what this relay cannot do', async () => {
    expect((await ask('/v1/lanes/calls/pause', { reason: 'maintenance' })).status).toBe(200)
    const { lanes } = (await (await ask('/v1/backlog')).json()) as { lanes: { lane: string; paused?: unknown }[] }
    expect(lanes.find(({ lane }) => lane === 'calls')).toMatchObject({ paused: { reason: 'maintenance' } })
    expect(await (await ask('/v1/lanes/calls/resume', {})).json()).toEqual({ lane: 'calls', wasPaused: true })
    expect(await (await ask('/metrics')).text()).toMatch(/metertap_ledger_events\{state="received"\} \d+/)
    const { status, detail } = await readProblem(await ask('/v1/backup', {}))
    expect(status).toBe(409)
    expect(detail).toContain('point-in-time recovery')
    // The upstream is not there, and the report says so.
    expect(await (await ask('/v1/reconcile', {})).json()).toMatchObject({
      report: { meters: [{ meter: 'calls', failure: expect.stringContaining('no answer') }, { meter: 'loose' }] },
    })
  })

  test('replaces the signing keys: all tokens so far end within seconds', async () => {
    const { edge: target } = targets
    const token = await tokenOf(target.url, 'before')
    expect((await ask('/v1/signing-keys/replace', {})).status).toBe(200)
    const status = async () => (await send({ ...target, token }, { body: good() })).status
    await expect.poll(status, { timeout: 45_000 }).toBe(401)
    expect((await send({ ...target, token: await tokenOf(target.url, 'after') }, { body: good() })).status).toBe(200)
  })
})
