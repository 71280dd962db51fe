import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FieldSource, MeterRoute } from '../../src/relay/contract.ts'
import type { AskUpstream, Forwarder } from '../../src/relay/forward/contract.ts'
import { createForwarder } from '../../src/relay/forward/create-forwarder.ts'
import { createUpstreamClient } from '../../src/relay/forward/upstream-client.ts'
import type { MeterReport } from '../../src/relay/reconcile/contract.ts'
import { createReconciler } from '../../src/relay/reconcile/create-reconciler.ts'
import { unmapRow } from '../../src/relay/reconcile/unmap-row.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import type { ZuoraStandIn, ZuoraStandInOptions } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter, UPSTREAM_CLIENT } from '../support/calls-upstream.ts'
import { routeOf, STREAM } from '../support/forward-fixture.ts'

const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2026, 10, 23, 12, 20)

describe('createReconciler', () => {
  let folder: string
  let nowMs: number
  let zuora: ZuoraStandIn
  let store: RelayStore
  let forwarder: Forwarder
  let ask: AskUpstream
  const logs: unknown[] = []
  const clock = (): number => nowMs
  const log = (level: string, event: string, fields: unknown): void => void logs.push({ level, event, fields })

  async function open(options: Partial<ZuoraStandInOptions> = {}): Promise<void> {
    folder = mkdtempSync(join(tmpdir(), 'metertap-reconcile-'))
    nowMs = START_MS
    zuora = await startZuoraStandIn({
      clients: [UPSTREAM_CLIENT],
      meters: [callsMeter('calls-id', { schemaErrors: 'audit' })],
      ...{ now: clock, ...options },
    })
    store = openSqliteStore({ path: join(folder, 'relay.db'), clock })
    const upstream = { restBase: zuora.url, ...UPSTREAM_CLIENT }
    ask = createUpstreamClient({ upstream, clock, fetch })
    forwarder = createForwarder({
      ...{ store, routes: [route()], upstream, owner: 'o1', clock, fetch, random: () => 0, log: () => {}, lingerMs: 1 },
      // Back-off is not what is tested here.
      timer: (callback, delayMs) => {
        const timeout = setTimeout(callback, Math.min(delayMs, delayMs >= 30_000 ? 2_000 : 1))
        return () => clearTimeout(timeout)
      },
    })
    forwarder.start()
  }
  async function close(): Promise<void> {
    await forwarder.stop()
    await store.close()
    await zuora.close()
    rmSync(folder, { recursive: true })
  }
  beforeEach(async () => {
    logs.length = 0
    await open()
  })
  afterEach(async () => {
    await close()
    expect(JSON.stringify(logs)).not.toContain('private')
  })

  function route(upstream: Partial<MeterRoute['upstream']> = {}): MeterRoute {
    return routeOf('calls', { meterGlobalId: 'calls-id', ...upstream })
  }
  const reconciler = (routes = [route()]) => createReconciler({ store, routes, tenant: 'default', ask, clock, log })
  async function run(options: { sinceMs?: number } = {}, routes = [route()]): Promise<MeterReport> {
    const { meters } = await reconciler(routes).run(options)
    return meters[0] as MeterReport
  }

  /** Forwards events with these quantities; a text breaks the definition, and the upstream finds out later. */
  async function forward(first: number, quantities: readonly unknown[]): Promise<void> {
    const events = quantities.map((quantity, i) => ({
      ...{ stream: STREAM, seq: first + i, meter: 'calls', atMs: nowMs, data: JSON.stringify({ quantity, note: 'n' }) },
    }))
    const who = { tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: nowMs }
    await store.accept({ ...who, streams: [], events, refused: [] })
    forwarder.wake('calls')
    await expect
      .poll(async () => (await store.backlog()).reduce((n, lane) => n + lane.waiting + lane.inDelivery, 0))
      .toBe(0)
  }

  test('turns rows whose import failed into dead letters, once, however often it reads them', async () => {
    await forward(0, [1, 'private', 3, 'private', 5])
    expect(await store.totals()).toMatchObject({ forwarded: 5, dead: 0 })
    nowMs += 60_000
    expect(await run()).toMatchObject({ meter: 'calls', buried: 2, known: 0, unknown: 0, deduplicated: 0 })
    expect(await store.totals()).toMatchObject({ received: 5, forwarded: 3, dead: 2, missing: 0 })
    expect(await store.deadLetters()).toMatchObject(
      [3, 1].map((seq) => ({
        ...{ stream: STREAM, seq, account: 'acme', device: 'd1', meter: 'calls', code: 'import_failed' },
        ...{ data: '{"quantity":"private"}', atMs: Math.floor(START_MS / 1_000) * 1_000 },
        detail: expect.stringMatching(/^70000000: /),
      })),
    )
    nowMs += HOUR_MS
    expect(await run()).toMatchObject({ buried: 0, known: 2 })
    expect(await run({ sinceMs: START_MS - HOUR_MS })).toMatchObject({ buried: 0, known: 2 })
    // The next one is found from where the last run has read.
    await forward(5, ['private'])
    nowMs += HOUR_MS
    expect(await run()).toMatchObject({ buried: 1, known: 2 })
    expect(await store.totals()).toMatchObject({ forwarded: 3, dead: 3 })
    // What is older than the overlap of six hours is not read again.
    nowMs += 7 * HOUR_MS
    await run()
    nowMs += HOUR_MS
    expect(await run()).toMatchObject({ buried: 0, known: 0 })
  })

  test('an event that was mended and replayed is not killed again by the old failure', async () => {
    await forward(0, ['private'])
    nowMs += 60_000
    await run()
    const [letter] = await store.deadLetters()
    await store.editDeadLetter(letter?.id ?? 0, '{"quantity":7}')
    await store.replayDeadLetters([letter?.id ?? 0])
    await forward(1, [1])
    expect(await store.totals()).toMatchObject({ forwarded: 2, dead: 0 })
    expect(zuora.ledger.totals('calls-id')).toMatchObject({ billable: 2, duplicates: 0, sums: { Quantity: '8' } })
    nowMs += HOUR_MS
    expect(await run()).toMatchObject({ buried: 0, known: 1 })
    expect(await store.totals()).toMatchObject({ forwarded: 2, dead: 0 })
  })

  test('counts second copies, and leaves them alone', async () => {
    zuora.faults.set([{ kind: 'answer-lost', times: 2 }])
    await forward(0, [1, 2, 3])
    nowMs += 60_000
    expect(await run()).toMatchObject({ buried: 0, deduplicated: 6 })
    expect(await store.totals()).toMatchObject({ forwarded: 3, dead: 0 })
  })

  test('holds both ledgers against each other over whole hours', async () => {
    await forward(0, [1, 'private', 3])
    nowMs += 60_000
    expect(await run()).not.toHaveProperty('comparison')
    zuora.faults.set([{ kind: 'answer-lost', times: 1 }])
    await forward(3, [1, 2])
    nowMs += HOUR_MS
    const fromMs = Math.floor(START_MS / HOUR_MS) * HOUR_MS
    const comparison = { fromMs, untilMs: fromMs + HOUR_MS, forwarded: 5, accepted: 4, failed: 1, duplicates: 2 }
    expect((await run()).comparison).toEqual({ ...comparison, difference: 0 })
    // The upstream forgets: what it took is not in its books.
    zuora.ledger.reset()
    nowMs += HOUR_MS
    expect((await run()).comparison).toMatchObject({ forwarded: 5, accepted: 0, difference: 5 })
    expect(logs.at(-1)).toMatchObject({ event: 'reconciled', fields: { difference: 5 } })
  })

  test('reads page after page', async () => {
    await forward(
      0,
      Array.from({ length: 1_203 }, () => 'private'),
    )
    nowMs += 60_000
    expect(await run()).toMatchObject({ buried: 1_203 })
    expect(await store.totals()).toMatchObject({ forwarded: 0, dead: 1_203 })
  })

  test('sinceMs looks further back, and never past what was not read yet', async () => {
    await forward(0, ['private'])
    nowMs += 10 * HOUR_MS
    expect(await run({ sinceMs: nowMs - HOUR_MS })).toMatchObject({ buried: 1 })
    await forward(1, ['private'])
    nowMs += 10 * HOUR_MS
    expect(await run({ sinceMs: nowMs - HOUR_MS })).toMatchObject({ buried: 1 })
    expect(await store.totals()).toMatchObject({ dead: 2 })
  })

  test('a last page that names itself as the next is entered all the same', async () => {
    await forward(0, [1, 'private'])
    nowMs += 60_000
    const plain = ask
    ask = async (path, init) => {
      const answer = await plain(path.replace('&cursor=last', ''), init)
      if (!path.includes('auditTrail') || !('body' in answer)) return answer
      const { data } = JSON.parse(answer.body)
      const page = { success: true, data: path.includes('cursor=last') ? data : [], nextPage: 'last' }
      return { ...answer, body: JSON.stringify(page) }
    }
    expect(await run()).toMatchObject({ buried: 1, failure: expect.stringContaining('do not end') })
  })

  test('rows of others change nothing', async () => {
    const token = await (
      await fetch(`${zuora.url}/oauth/token`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        body: 'grant_type=client_credentials&client_id=id&client_secret=secret',
      })
    ).json()
    const others = [{ UsageIdentifier: `${STREAM}-0` }, { UsageIdentifier: 'no id of ours' }, { Something: 1 }]
    await fetch(`${zuora.url}/usage/bulk/calls-id`, {
      ...{ method: 'POST', body: JSON.stringify(others) },
      headers: {
        authorization: `Bearer ${(token as { access_token: string }).access_token}`,
        'content-type': 'application/json',
      },
    })
    nowMs += 60_000
    expect(await run()).toMatchObject({ buried: 0, unknown: 3 })
    expect(await store.deadLetters()).toEqual([])
  })

  test('what the upstream computed cannot be told back: the letter waits for an edit', async () => {
    await forward(0, ['private'])
    nowMs += 60_000
    const fields: Record<string, FieldSource> = { UsageIdentifier: 'id', Quantity: (event) => event.seq }
    expect(await run({}, [route({ fields })])).toMatchObject({ buried: 1 })
    const [letter] = await store.deadLetters()
    expect(letter).toMatchObject({ needsEdit: true, account: 'acme', data: '{}' })
    expect(await store.replayDeadLetters([letter?.id ?? 0])).toEqual([])
  })

  test.each<[string, AskUpstream, string]>([
    ['an error', async () => ({ status: 503, body: '' }), 'HTTP 503'],
    ['a page of a proxy', async () => ({ status: 200, body: '<html>private</html>' }), 'not as documented'],
    [
      'an answer of another shape',
      async () => ({ status: 200, body: '{"success":true,"data":7}' }),
      'not as documented',
    ],
    ['no answer', async () => ({ failure: 'no answer: ECONNRESET' }), 'ECONNRESET'],
    [
      'pages that go round in circles',
      async () => ({ status: 200, body: '{"success":true,"data":[],"nextPage":"same"}' }),
      'do not end',
    ],
  ])('%s: says so, and reads the same again next time', async (_, broken, failure) => {
    await forward(0, ['private'])
    nowMs += 60_000
    const good = ask
    ask = broken
    expect(await run()).toMatchObject({ buried: 0, failure: expect.stringContaining(failure) })
    ask = good
    expect(await run()).toMatchObject({ buried: 1 })
  })

  test('a token that ended is replaced, a wrong secret is reported', async () => {
    await forward(0, ['private'])
    nowMs += 60_000
    await run()
    zuora.revokeTokens()
    expect(await run()).toMatchObject({ known: 1 })
    const upstream = { restBase: zuora.url, clientId: 'id', clientSecret: 'wrong' }
    ask = createUpstreamClient({ upstream, clock, fetch })
    expect(await run()).toMatchObject({ failure: expect.stringContaining('clientSecret') })
  })

  test('one run at a time; a meter with an upload URL only cannot be asked about', async () => {
    const one = reconciler([route(), routeOf('storage', { url: `${zuora.url}/x` })])
    const [first, second] = await Promise.all([one.run(), one.run()])
    expect(first).toBe(second)
    expect(first.meters.map(({ meter, failure }) => [meter, failure])).toEqual([
      ['calls', undefined],
      ['storage', expect.stringContaining('meterId')],
    ])
    expect(await run({}, [route({ meterId: 'calls-id', meterGlobalId: 'another' })])).not.toHaveProperty('failure')
  })

  test('a note that cannot be read is as good as none', async () => {
    await forward(0, ['private'])
    nowMs += 60_000
    await store.setNote('reconciled calls', 'no JSON')
    expect(await run()).toMatchObject({ buried: 1 })
    await store.setNote('reconciled calls', '{"readUntilMs":"x"}')
    expect(await run()).toMatchObject({ buried: 0, known: 1 })
  })
})

describe('unmapRow', () => {
  const id = `${STREAM}-7`
  test.each<[string, Record<string, FieldSource>, Record<string, unknown>, unknown]>([
    ['data', { Id: 'id', Qty: 'data.quantity' }, { Id: id, Qty: 3 }, { data: '{"quantity":3}', isPartial: false }],
    [
      'nested data',
      { Id: 'id', A: 'data.a.b', B: 'data.a.c' },
      { Id: id, A: 1, B: 'x' },
      { data: '{"a":{"b":1,"c":"x"}}' },
    ],
    [
      'account and time',
      { Id: 'id', C: 'account', T: 'at' },
      { Id: id, C: 'acme', T: '2026-03-31T10:30:00Z' },
      { account: 'acme', atMs: Date.UTC(2026, 2, 31, 10, 30), data: '{}', isPartial: false },
    ],
    ['a field that is gone', { Id: 'id', Qty: 'data.quantity' }, { Id: id }, { data: '{}', isPartial: true }],
    [
      'one value for two fields',
      { Id: 'id', A: 'data.q', B: 'data.q' },
      { Id: id, A: 1, B: 1 },
      { data: '{"q":1}', isPartial: false },
    ],
    ['two values for one', { Id: 'id', A: 'data.q', B: 'data.q' }, { Id: id, A: 1, B: 2 }, { isPartial: true }],
    ['a path through a value', { Id: 'id', A: 'data.q', B: 'data.q.r' }, { Id: id, A: 1, B: 2 }, { isPartial: true }],
    ['dangerous names', { Id: 'id', A: 'data.__proto__.x' }, { Id: id, A: 1 }, { data: '{"__proto__":{"x":1}}' }],
  ])('%s', (_, fields, row, expected) => {
    expect(unmapRow(fields, row)).toMatchObject({ stream: STREAM, seq: 7, ...(expected as object) })
  })

  test('no event id of ours', () => {
    for (const Id of [undefined, 7, 'x', `${id}x`, `${STREAM}-`, `${STREAM}-99999999999999999`]) {
      expect(unmapRow({ Id: 'id' }, { Id })).toBeUndefined()
    }
  })
})
