import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { base64url, decodeJwt, generateKeyPair, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createGrant } from '../../src/relay.ts'
import { GRANT_SECRET, readAnswer, readProblem } from '../support/relay-fixture.ts'
import { batchFor, type Neighbour, startNeighbour } from './support/neighbour.ts'
import { type Attacked, exchange, startAttacked } from './support/relay-under-attack.ts'

const LONG = process.env.METERTAP_LONG !== undefined
const AT_ONCE = 4
const MAX_PEAK_BYTES = 300 * 2 ** 20
const MIB = 2 ** 20
const gzip = { 'Content-Encoding': 'gzip' }

let relay: Attacked
let token: string
let neighbour: Neighbour
beforeAll(async () => {
  relay = await startAttacked()
  token = await relay.token('mallory')
})
afterAll(async () => {
  const peakBytes = relay.peakBytes()
  console.info(`peak memory of the attacked relay: ${Math.round(peakBytes / MIB)} MiB`)
  await relay.close()
  expect(peakBytes).toBeLessThan(MAX_PEAK_BYTES)
})

// Whatever is done to the relay, somebody else is served meanwhile.
beforeEach(async () => {
  neighbour = await startNeighbour(relay)
})
afterEach(async () => {
  const { batches, refused, slowestMs } = await neighbour.stop()
  expect(refused).toEqual([])
  expect(batches).toBeGreaterThan(0)
  expect(slowestMs).toBeLessThan(5_000)
  expect(relay.peakBytes()).toBeLessThan(MAX_PEAK_BYTES)
})

function times<T>(job: (index: number) => Promise<T>, count = AT_ONCE): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => job(index)))
}

/** A few at once; in the long form again and again. */
async function waves<T>(job: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let wave = 0; wave < (LONG ? 10 : 1); wave++) results.push(...(await times(job, 2)))
  return results
}

async function codes(responses: readonly Response[]): Promise<Set<string>> {
  const problems = await Promise.all(responses.map(readProblem))
  return new Set(problems.map(({ status, code }) => `${status} ${code}`))
}

/** A batch with one event of any data between two good ones. */
function between(stream: string, event: string): string {
  const good = `["calls",${Date.now()},{"quantity":1}]`
  const report = `{"id":"${stream}","recorded":3,"dropped":{}}`
  return `{"v":1,"sentAt":0,"device":"d","streams":[${report}],"segments":[{"stream":"${stream}","first":0,"events":[${good},${event},${good}]}]}`
}

async function verdictOf(event: string): Promise<string | undefined> {
  const stream = randomUUID()
  const answer = await readAnswer(await relay.send(token, between(stream, event)))
  expect(answer.received).toEqual({ [stream]: [[0, 0], [2, 2]] }) // biome-ignore format: one line shows the gap
  expect(answer.rejected).toMatchObject([{ stream, seq: 1 }])
  return answer.rejected[0]?.code
}

describe('bodies', () => {
  test('200 MB in 200 KB', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000))
    expect(bomb.length).toBeLessThan(210_000)
    const responses = await waves(() => relay.send(token, bomb, { headers: gzip }))
    expect(await codes(responses)).toEqual(new Set(['413 inflated_too_large']))
  })

  test('within the size, beyond the ratio', async () => {
    const dense = gzipSync(Buffer.alloc(6_000_000))
    expect(await codes(await waves(() => relay.send(token, dense, { headers: gzip })))).toEqual(
      new Set(['413 ratio_too_high']),
    )
  })

  test('10 MB of JSON', async () => {
    const text = JSON.stringify({ ...batchFor(randomUUID(), 0, 1), more: 'x'.repeat(10_000_000) })
    const responses = await waves(() => relay.send(token, text).catch(() => undefined))
    // The relay answers at once; a client that goes on sending may see a reset connection instead.
    const answered = responses.filter((response) => response !== undefined)
    if (answered.length > 0) expect(await codes(answered)).toEqual(new Set(['413 body_too_large']))
    const head = `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{`
    expect(await exchange(await relay.raw(), head, 1_000)).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('empty lists by the million', async () => {
    const lists = Buffer.from(`[${'[],'.repeat(2_700_000)}[]]`)
    const packed = gzipSync(lists)
    expect(await codes(await waves(() => relay.send(token, packed, { headers: gzip })))).toEqual(
      new Set(['413 ratio_too_high']),
    )
    const noisy = gzipSync(Buffer.from(`[${Array.from({ length: 2_000_000 }, (_, i) => i % 7).join()}]`), { level: 1 })
    expect(await codes(await waves(() => relay.send(token, noisy, { headers: gzip })))).toEqual(
      new Set(['413 too_complex']),
    )
  })

  test('100,000 levels deep, in an event and as the whole', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    expect(await verdictOf(`["loose",${Date.now()},${deep}]`)).toBe('too_deep')
    expect(await verdictOf(`["loose",${Date.now()},${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}]`)).toBe(
      'too_deep',
    )
    expect(await codes([await relay.send(token, deep)])).toEqual(new Set(['400 invalid_batch']))
  })

  test('__proto__ in every place', async () => {
    const now = Date.now()
    expect(await verdictOf(`["loose",${now},{"__proto__":{"isAdmin":true}}]`)).toBe('forbidden_key')
    expect(await verdictOf(`["loose",${now},[{"a":{"constructor":{"prototype":{"x":1}}}}]]`)).toBe('forbidden_key')
    expect(await verdictOf(`["__proto__",${now},{}]`)).toBe('unknown_meter')
    const stream = randomUUID()
    const report = `{"id":"${stream}","recorded":1,"dropped":{"__proto__":1,"constructor":1},"__proto__":{"recorded":9}}`
    const text = `{"v":1,"sentAt":0,"device":"d","__proto__":{"v":2},"streams":[${report}],"segments":[{"stream":"__proto__","first":0,"events":[[]]}]}`
    expect((await readAnswer(await relay.send(token, text))).rejected).toMatchObject([{ code: 'bad_stream' }])
    expect(({} as Record<string, unknown>).recorded).toBeUndefined()
    expect(await relay.admin(`/v1/ledger?stream=${stream}`)).toMatchObject({ streams: [{ recorded: 1 }] })
  })

  test('more of them at once than one may have open', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000))
    const refusals = await codes(await times(() => relay.send(token, bomb, { headers: gzip }), LONG ? 100 : 30))
    expect(refusals).toContain('429 rate_limited')
    expect([...refusals].filter((refusal) => !/^(429 rate_limited|413 inflated_too_large)$/.test(refusal))).toEqual([])
  })

  test('a body that comes by the drop', async () => {
    const drip = async (): Promise<Response> => {
      const body = new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 100))
          controller.enqueue(new Uint8Array([0x20]))
        },
      })
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      return await relay.request('/v1/events', { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    }
    expect(await codes(await waves(drip))).toEqual(new Set(['408 body_timeout']))
  })
})

test('a thousand connections that say half of what they want', async () => {
  const heads = [
    'GET /livez HTT',
    'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Ty',
    `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"v":`,
    'POST /v1/exit HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 60000\r\n\r\n{"v":1',
  ]
  const sockets: Socket[] = []
  for (let opened = 0; opened < 1_000; opened += 50) {
    sockets.push(...(await times(() => relay.raw(), 50)))
  }
  let answers = 0
  for (const [index, socket] of sockets.entries()) {
    socket.on('error', () => {})
    socket.on('data', () => answers++)
    socket.write(heads[index % heads.length] as string)
  }
  await new Promise((resolve) => setTimeout(resolve, 3_500))
  // Those with a good head were told that their body is too slow, or that one device has too many open; all of them wait no more.
  expect(answers).toBeGreaterThan(400)
  for (const socket of sockets) socket.destroy()
}, 60_000)

describe('tokens', () => {
  const codeOf = async (forged: string): Promise<string> =>
    (await readProblem(await relay.send(forged, batchFor(randomUUID(), 0, 1)))).code

  test('forged, unsigned, expired, of another kind: nobody gets in', async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
    const claims = decodeJwt(token)
    const [head = '', payload = '', signature = ''] = token.split('.')
    const sign = (key: CryptoKey | Uint8Array, alg: string): Promise<string> =>
      new SignJWT(claims)
        .setProtectedHeader({ ...JSON.parse(Buffer.from(head, 'base64url').toString()), alg })
        .sign(key)
    const victim = base64url.encode(JSON.stringify({ ...claims, sub: 'victim' }))
    const none = base64url.encode(
      JSON.stringify({ ...JSON.parse(Buffer.from(head, 'base64url').toString()), alg: 'none' }),
    )
    for (const forged of [
      await sign(privateKey as CryptoKey, 'EdDSA').catch(() => `${head}.${payload}.AAAA`),
      `${head}.${victim}.${signature}`,
      `${none}.${victim}.`,
      `${none}.${payload}.${signature}`,
      `${head}.${payload}.`,
      'x'.repeat(15_000),
      '.'.repeat(10_000),
    ]) {
      expect(await codeOf(forged)).toBe('unauthorized')
    }
  })

  test('a grant is used once, whoever is first', async () => {
    const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, account: 'a', device: 'd', meters: [] })
    const headers = { 'Content-Type': 'application/json' }
    const swap = () => relay.request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
    const responses = await times(swap, 20)
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await codes(responses.filter(({ status }) => status !== 200))).toEqual(new Set(['401 grant_used']))
  })

  test('guessing is slowed down by address, and others are not', async () => {
    const guess = () => relay.send('x.y.z', '{}', { from: '10.66.6.6' })
    const responses: Response[] = []
    const isLimited = () => responses.some(({ status }) => status === 429)
    for (let sent = 0; sent < 30_000 && !isLimited(); sent += 100) responses.push(...(await times(guess, 100)))
    const limited = responses.find(({ status }) => status === 429) as Response
    expect(await readProblem(limited)).toMatchObject({ code: 'rate_limited' })
    expect(limited.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(limited.headers.get('ratelimit-policy')).toBe('"address";q=3000;w=60')
    expect((await relay.send('x.y.z', '{}', { from: '10.66.6.7' })).status).toBe(401)
  }, 60_000)
})

describe('events', () => {
  test('another account’s stream is another stream', async () => {
    const stream = randomUUID()
    const owner = await relay.token('owner')
    await readAnswer(await relay.send(owner, batchFor(stream, 0, 3)))
    const answer = await readAnswer(await relay.send(token, batchFor(stream, 1, 1)))
    expect(answer.received, 'nothing of the owner’s is told').toEqual({ [stream]: [[1, 1]] })
    expect((await readAnswer(await relay.send(owner, batchFor(stream, 3, 1)))).received).toEqual({ [stream]: [[0, 3]] })
    const { streams } = (await relay.admin(`/v1/ledger?stream=${stream}`)) as { streams: { account: string }[] }
    expect(streams.map(({ account }) => account).toSorted()).toEqual(['mallory', 'owner'])
  })

  test('times of other ages', async () => {
    const data = '{"quantity":1}'
    expect(await verdictOf(`["calls",0,${data}]`)).toBe('too_old')
    expect(await verdictOf(`["calls",${Date.now() - 61 * 86_400_000},${data}]`)).toBe('too_old')
    expect(await verdictOf(`["calls",${Date.now() + 2 * 86_400_000},${data}]`)).toBe('too_far_ahead')
    expect(await verdictOf(`["calls",${Number.MAX_SAFE_INTEGER},${data}]`)).toBe('too_far_ahead')
    for (const odd of ['-1', '1e400', '1.5', '"now"', 'null', '[]']) {
      expect(await verdictOf(`["calls",${odd},${data}]`)).toBe('bad_time')
    }
  })

  test('numbers with gaps by the thousand are capped', async () => {
    const streams = await times(async () => {
      const stream = randomUUID()
      for (let round = 0; round < (LONG ? 5 : 2); round++) {
        const segments = Array.from({ length: 5_000 }, (_, index) => ({
          ...{ stream, first: (round * 5_000 + index) * 1_000_000_007 },
          events: [['calls', Date.now(), { quantity: 1 }]],
        }))
        const report = { id: stream, recorded: Number.MAX_SAFE_INTEGER, dropped: {} }
        const batch = gzipSync(JSON.stringify({ v: 1, sentAt: 0, device: 'd', streams: [report], segments }))
        const answer = await readAnswer(await relay.send(token, batch, { headers: gzip }))
        expect(answer.received[stream]?.length).toBe(1_000)
        expect(new Set(answer.rejected.map(({ code }) => code))).toEqual(new Set(['too_many_gaps']))
      }
      return stream
    })
    const { streams: rows } = (await relay.admin(`/v1/ledger?stream=${streams[0]}`)) as { streams: unknown[] }
    expect(rows).toMatchObject([{ received: 1_000 }])
  }, 60_000)
})

describe('the protocol itself', () => {
  const status = async (text: string): Promise<string> =>
    /^HTTP\/1\.1 (\d+)/.exec(await exchange(await relay.raw(), text, 700))?.[1] ?? ''

  test('requests that could be read in two ways are refused', async () => {
    const smuggled = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'
    expect(
      await status(
        `POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      ),
    ).toBe('400')
    expect(await status(`POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx`)).toBe(
      '400',
    )
    expect(await status('GET /livez HTTP/1.1\r\nHost : x\r\n\r\n')).toBe('400')
    expect(await status('GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\rSet-Cookie: b=c\r\n\r\n')).toBe('400')
    expect(await status('GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n')).toBe('400')
    expect(await status(`GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`)).toBe('431')
  })

  test('what a client says never becomes a header of the answer', async () => {
    const text = `OPTIONS /v1/events HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example%0d%0aSet-Cookie:a=b\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x%0d%0aSet-Cookie:a=b\r\nConnection: close\r\n\r\n`
    const answer = await exchange(await relay.raw(), text)
    expect(answer).toMatch(/^HTTP\/1\.1 204/)
    expect(answer.toLowerCase()).not.toMatch(/set-cookie|evil/)
  })

  test.each([
    '/v1/../v1/ledger',
    '/v1/%2e%2e/ledger',
    '//v1/events',
    '/v1//events',
    '/v1%2Fevents',
    '/V1/EVENTS',
    '/v1/events/../../etc/passwd',
    '/v1/events%00',
    '/%',
    '/v1/events;a=b',
    '/v1/ledger',
    '/v1/dead-letters',
    '/metrics',
    'http://127.0.0.1:8788/v1/ledger',
    '*',
  ])('the path %s leads nowhere', async (path) => {
    const text = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    expect(await status(text)).toMatch(/^(400|404)$/)
  })
})

test('an upstream that redirects gets nobody’s token, and nothing is lost', async () => {
  const stolen: unknown[] = []
  const thief = createServer((request, response) => {
    stolen.push(request.headers)
    response.end('{"success":true}')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => thief.once('listening', resolve))
  let redirected = 0
  const upstream = createServer((request, response) => {
    request.resume()
    if (request.url === '/oauth/token') {
      response.setHeader('Content-Type', 'application/json').end('{"access_token":"precious","expires_in":3599}')
      return
    }
    redirected++
    response.writeHead(307, { Location: `http://127.0.0.1:${(thief.address() as AddressInfo).port}/` }).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => upstream.once('listening', resolve))
  const other = await startAttacked(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}`)
  try {
    await readAnswer(await other.send(await other.token('acme'), batchFor(randomUUID(), 0, 5)))
    await vi.waitFor(() => expect(redirected).toBeGreaterThan(0), 30_000)
    await vi.waitFor(async () => {
      expect(await other.admin('/v1/ledger')).toMatchObject({
        totals: { received: 5, forwarded: 0, dead: 0 },
        forwarding: expect.arrayContaining([expect.objectContaining({ lane: 'calls', state: 'paused' })]),
      })
    }, 30_000)
    expect(stolen).toEqual([])
  } finally {
    await other.close()
    upstream.close()
    thief.close()
  }
}, 60_000)
