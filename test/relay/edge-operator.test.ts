import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fault, MeterOptions } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { ADMIN_KEY, ORIGIN } from '../support/addresses.ts'
import { callsMeter } from '../support/calls-upstream.ts'
import { makeTraffic, sendTraffic } from './support/edge-traffic.ts'
import { createMortalEdge, createMortalRelay } from './support/kill-again.ts'
import { type Answer, askOperator, post, type Side, settled, timeless } from './support/two-relays.ts'

const ACCOUNTS = 6
const SHARDS = 3

interface Letter {
  readonly id: number
  readonly stream: string
  readonly seq: number
}

let folder: string
const closing: (() => Promise<unknown>)[] = []

/** A relay on Node and one in workerd, each with an upstream of its own. */
async function openSides(faults: readonly Fault[], meter: Partial<MeterOptions> = {}): Promise<[Side, Side]> {
  folder = mkdtempSync(join(tmpdir(), 'metertap-operator-'))
  const clients = [{ clientId: 'id', clientSecret: 'client-secret' }]
  const sides = await Promise.all(
    [createMortalRelay, createMortalEdge].map(async (create, i): Promise<Side> => {
      const zuora = await startZuoraStandIn({ clients, meters: [callsMeter('calls', meter)], faults: [...faults] })
      const relay = create(join(folder, String(i)), zuora.url, SHARDS)
      closing.push(
        () => zuora.close(),
        () => relay.kill(),
      )
      await relay.start().listens
      return { relay, zuora }
    }),
  )
  return sides as [Side, Side]
}

async function closeSides(): Promise<void> {
  for (const close of closing.splice(0).toReversed()) await close()
  rmSync(folder, { recursive: true })
}

describe('the operator’s API of the edge relay, over all its shards', () => {
  let sides: [Side, Side]
  let letters: Letter[][]
  beforeAll(async () => {
    sides = await openSides([{ kind: 'refuse-rows', where: { field: 'Quantity', equals: 666 } }])
    const traffic = makeTraffic({ accounts: ACCOUNTS, batches: 6 })
    await Promise.all(sides.map(({ relay }) => sendTraffic(relay, traffic)))
    await Promise.all(sides.map(({ relay }) => settled(relay)))
    letters = await readLetters()
  }, 120_000)
  afterAll(closeSides, 60_000)

  async function readLetters(): Promise<Letter[][]> {
    const answers = await Promise.all(sides.map((side) => askOperator(side, '/v1/dead-letters')))
    return answers.map(({ body }) =>
      (body.deadLetters as Letter[]).toSorted((a, b) => (`${a.stream}${a.seq}` < `${b.stream}${b.seq}` ? -1 : 1)),
    )
  }

  /** The same question to both; their one answer. */
  async function both(path: string | ((side: number) => string), init?: RequestInit | ((side: number) => RequestInit)) {
    const answers = await Promise.all(
      sides.map((side, i): Promise<Answer> => {
        const own = typeof path === 'string' ? path : path(i)
        return askOperator(side, own, typeof init === 'function' ? init(i) : init)
      }),
    )
    const [onNode, atEdge] = answers.map(timeless) as [Answer, Answer]
    expect(atEdge).toEqual(onNode)
    return onNode
  }

  test.each([
    '/v1/ledger?limit=10000',
    '/v1/ledger?account=account-3',
    '/v1/ledger?limit=0',
    '/v1/gaps',
    '/v1/gaps?account=account-1',
    '/v1/days',
    '/v1/days?account=account-2',
    '/v1/backlog',
    '/v1/dead-letters',
    '/v1/dead-letters?account=account-1',
    '/v1/dead-letters?meter=none',
    '/v1/held',
    '/v1/parked',
    '/v1/parked?lane=calls',
    '/v1/hours',
    '/v1/hours?account=account-4',
    '/v1/revocations',
    '/v1/events/nobody-made-this',
    '/v1/events/00000000-0000-7000-8000-000000000000-1',
    '/v1/nothing',
  ])('%s answers as on Node', async (path) => {
    const { status } = await both(path)
    expect([200, 400, 404]).toContain(status)
  })

  test('what is limited is the same on Node: a page of the ledger, of the hours, of the gaps', async () => {
    for (const [path, name] of [
      ['/v1/ledger?limit=5', 'streams'],
      ['/v1/hours?limit=3', 'hours'],
      ['/v1/gaps?limit=4', 'gaps'],
    ] as const) {
      const answers = await Promise.all(sides.map((side) => askOperator(side, path)))
      const [onNode, atEdge] = answers.map(({ body }) => (body[name] as object[]).length)
      expect(atEdge, path).toBe(onNode)
    }
    // Streams are sorted by their ids, so that the newest are the same ones.
    await both('/v1/ledger?limit=5')
  })

  test('an event is found by its id, whichever shard has it: forwarded, dead, missing', async () => {
    const [dead] = letters[0] as [Letter]
    for (const seq of [0, dead.seq, 7, 31, 100_000]) {
      const { body } = await both(`/v1/events/${dead.stream}-${seq}`)
      expect(body.ways).toHaveLength(1)
    }
  })

  test('dead letters are exported whole, one to a line', async () => {
    const exports = await Promise.all(
      sides.map((side) => askOperator(side, '/v1/dead-letters', { headers: { Accept: 'application/x-ndjson' } })),
    )
    const [onNode, atEdge] = exports.map(({ body }) =>
      timeless(
        String(body.text ?? JSON.stringify(body))
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
    )
    expect(atEdge).toEqual(onNode)
  })

  test('a dead letter is edited under the schema, replayed under its id, and billed', async () => {
    const place = (side: number) => `/v1/dead-letters/${letters[side]?.[0]?.id}`
    const id = `${letters[0]?.[0]?.stream}-${letters[0]?.[0]?.seq}`
    const patch = (data: unknown): RequestInit => ({ method: 'PATCH', body: JSON.stringify({ data }) })
    expect(await both(place, patch({ quantity: -1 }))).toMatchObject({ status: 400 })
    expect(await both(place, patch({ quantity: 5 }))).toMatchObject({ status: 200 })
    const ids = (side: number) => post({ ids: [letters[side]?.[0]?.id, 999_999_999] })
    expect(await both('/v1/dead-letters/replay', ids)).toMatchObject({ status: 200, body: { replayed: 1 } })
    await Promise.all(sides.map(({ relay }) => settled(relay)))
    for (const { zuora } of sides) expect(zuora.ledger.has('calls', id)).toBe(true)
    expect(await both(place, patch({ quantity: 1 }))).toMatchObject({ status: 404 })
    await both('/v1/ledger?limit=10000')
  })

  test('dead letters are deleted, and the ledger says so', async () => {
    const ids = (side: number) => post({ ids: letters[side]?.slice(1).map((letter) => letter.id) })
    const { body } = await both('/v1/dead-letters/delete', ids)
    expect(body.deleted).toBe((letters[0]?.length ?? 0) - 1)
    expect(await both('/v1/dead-letters')).toMatchObject({ body: { deadLetters: [] } })
    await both('/v1/ledger?limit=10000')
    expect(await both('/v1/dead-letters/delete', post({ ids: 'all' }))).toMatchObject({ status: 400 })
  })

  test('a lane is paused in every shard and resumed in every shard', async () => {
    expect(await both('/v1/lanes/other/pause', post({ reason: 'x' }))).toMatchObject({ status: 404 })
    expect(await both('/v1/lanes/calls/pause', post({ reason: 'month end' }))).toMatchObject({ status: 200 })
    const more = makeTraffic({ accounts: ACCOUNTS, batches: 1 })
    const metric = async (side: Side, name: string) => {
      const { text } = (await askOperator(side, '/metrics')).body
      return Number(new RegExp(`^metertap_${name} (.*)$`, 'm').exec(String(text))?.[1])
    }
    await Promise.all(sides.map(({ relay }) => sendTraffic(relay, more)))
    const { body } = await both('/v1/backlog')
    expect(body.lanes).toMatchObject([{ lane: 'calls', paused: { reason: 'month end' } }])
    const [lane] = body.lanes as [{ waiting: number; inDelivery: number }]
    expect(lane.waiting + lane.inDelivery).toBeGreaterThan(100)
    for (const side of sides) {
      expect(await metric(side, 'backlog_oldest_seconds{lane="calls"}')).toBeGreaterThan(0)
    }
    expect(await metric(sides[1], 'lane_state{lane="calls",state="paused"}')).toBe(1)
    expect(await both('/v1/lanes/calls/resume', post({}))).toMatchObject({ body: { wasPaused: true } })
    expect(await both('/v1/lanes/calls/resume', post({}))).toMatchObject({ body: { wasPaused: false } })
    await Promise.all(sides.map(({ relay }) => settled(relay)))
    await both('/v1/ledger?limit=10000')
  })

  test('a revocation is kept, and ends the tokens of its account', async () => {
    expect(await both('/v1/revocations', post({ account: '' }))).toMatchObject({ status: 400 })
    expect(await both('/v1/revocations', post({ account: 'account-5' }))).toMatchObject({ status: 200 })
    expect(await both('/v1/revocations')).toMatchObject({ body: { revocations: [{ account: 'account-5' }] } })
  })

  test('what nobody has parked or held is not there to be decided', async () => {
    expect(await both('/v1/parked/none', post({ verdict: 'accepted' }))).toMatchObject({ status: 404 })
    expect(await both('/v1/parked/none', post({ verdict: 'maybe' }))).toMatchObject({ status: 400 })
    expect(await both('/v1/held/release', post({ account: 'account-0' }))).toMatchObject({ body: { released: 0 } })
  })

  test('keys are replaced, metrics are rendered, and the description is the same', async () => {
    const keys = await Promise.all(sides.map((side) => askOperator(side, '/v1/signing-keys/replace', post({}))))
    for (const { status, body } of keys) {
      expect(status).toBe(200)
      expect(body.keys).toHaveLength(1)
    }
    const metrics = await Promise.all(sides.map((side) => askOperator(side, '/metrics')))
    const ledgers = metrics.map(({ body }) =>
      String(body.text)
        .split('\n')
        .filter((line) => line.startsWith('metertap_ledger_events'))
        .toSorted(),
    )
    expect(ledgers[1]).toEqual(ledgers[0])
    expect(ledgers[0]?.length).toBeGreaterThan(5)
    const { body } = await both('/openapi.json')
    expect(Object.keys(body.paths as object).length).toBeGreaterThan(10)
  })
})

describe('the console of the edge relay', () => {
  let url: string
  beforeAll(async () => {
    const [, { relay }] = await openSides([])
    await sendTraffic(relay, makeTraffic({ accounts: ACCOUNTS, batches: 2 }))
    url = (await relay.addresses()).url
  }, 120_000)
  afterAll(closeSides, 60_000)

  const own = () => ({ Origin: url, 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/json' })
  const login = (key: string, headers: object = own()) =>
    fetch(`${url}/console/login`, { ...post({ key }), headers: headers as HeadersInit })

  test('is its page, whole, from the static assets', async () => {
    const policy = "default-src 'none'; script-src 'self'; style-src 'self'"
    for (const [path, type] of [
      ['/console', 'text/html'],
      ['/console/page.js', 'text/javascript'],
      ['/console/page.css', 'text/css'],
      ['/console/icon.svg', 'image/svg+xml'],
    ] as const) {
      const response = await fetch(`${url}${path}`)
      expect(response.status, path).toBe(200)
      expect(response.headers.get('content-type')).toContain(type)
      expect(response.headers.get('content-security-policy')).toContain(policy)
      expect((await response.text()).length).toBeGreaterThan(100)
    }
    expect((await fetch(`${url}/page.js`)).status).toBe(404)
    expect((await fetch(`${url}/admin/console`, { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })).status).toBe(
      404,
    )
  })

  test('opens to the key alone, shows all shards, and to its own page alone', async () => {
    expect((await login('guess')).status).toBe(401)
    expect((await login(ADMIN_KEY, { ...own(), Origin: ORIGIN })).status).toBe(403)
    const response = await login(ADMIN_KEY)
    expect(response.status).toBe(200)
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
    const read = (headers: Record<string, string>) => fetch(`${url}/console/v1/ledger?limit=10000`, { headers })
    const ledger = (await (await read({ ...own(), Cookie: cookie })).json()) as { streams: { account: string }[] }
    expect(new Set(ledger.streams.map(({ account }) => account)).size).toBe(ACCOUNTS)
    expect((await read(own())).status).toBe(401)
    expect((await read({ ...own(), Cookie: cookie, Origin: ORIGIN, 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403)
    const pause = await fetch(`${url}/console/v1/lanes/calls/pause`, {
      ...{ ...post({ reason: 'seen' }), headers: { ...own(), Cookie: cookie } },
    })
    expect(pause.status).toBe(200)
    const revoke = await fetch(`${url}/console/v1/revocations`, { headers: { ...own(), Cookie: cookie } })
    expect(revoke.status, 'wants the key itself').toBe(404)
  })
})

describe('the reconciler of the edge relay', () => {
  let sides: [Side, Side]
  afterAll(closeSides, 60_000)

  test('finds what the upstream took and did not bill, as on Node', async () => {
    // The upstream wants another type: each row gets its 200 and dies later. Some come twice.
    const fields = { ...callsMeter('calls').fields, Quantity: { type: 'boolean' } as const }
    sides = await openSides([{ kind: 'answer-lost', times: 1 }], { fields, schemaErrors: 'audit' })
    const traffic = makeTraffic({ accounts: ACCOUNTS, batches: 4 })
    await Promise.all(sides.map(({ relay }) => sendTraffic(relay, traffic)))
    const [{ forwarded } = {}] = await Promise.all(sides.map(({ relay }) => settled(relay)))
    expect(forwarded).toBeGreaterThan(300)
    const reports = await Promise.all(sides.map((side) => askOperator(side, '/v1/reconcile', post({}))))
    for (const { status, body } of reports) {
      expect(status).toBe(200)
      const [report] = (body.report as { meters: unknown[] }).meters
      expect(report).toMatchObject({ meter: 'calls', buried: forwarded, unknown: 0 })
    }
    const [onNode, atEdge] = await Promise.all(
      sides.map(async (side) => {
        const ledger = await askOperator(side, '/v1/ledger?limit=10000')
        const dead = await askOperator(side, '/v1/dead-letters?limit=10000')
        return timeless([ledger, dead])
      }),
    )
    expect(atEdge).toEqual(onNode)
    expect(await sides[1].relay.totals()).toMatchObject({ forwarded: 0, dead: forwarded })
    const again = await Promise.all(sides.map((side) => askOperator(side, '/v1/reconcile', post({}))))
    for (const { body } of again) {
      const [report] = (body.report as { meters: Record<string, number>[] }).meters
      expect(report).toMatchObject({ buried: 0 })
      expect(report?.known).toBeGreaterThanOrEqual(forwarded as number)
    }
  }, 120_000)
})
