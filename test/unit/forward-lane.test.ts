import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventId } from '../../src/meter/contract.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { json, ok, refuseIf } from '../support/fake-upstream.ts'
import { type ForwardBed, openForwardBed, routeOf, SECRET, STREAM } from '../support/forward-fixture.ts'

const SANDBOX = { environment: 'api-sandbox' } as const

describe('createForwarder', () => {
  let bed: ForwardBed
  beforeEach(async () => {
    bed = await openForwardBed()
  })
  afterEach(async () => {
    await bed.close()
    // Nothing that was stored is ever lost, whatever a test did.
    const said = JSON.stringify(bed.logs, (_, value) =>
      value instanceof Error ? `${value.stack} ${value.cause}` : value,
    )
    for (const secret of [SECRET, 'token-1', 'token-2', 'private']) expect(said).not.toContain(secret)
  })

  async function rebuild(options: Parameters<typeof openForwardBed>[0]): Promise<void> {
    await bed.close()
    bed = await openForwardBed(options)
  }

  const lane = (name = 'calls') => bed.forwarder.stats().find((stats) => stats.lane === name)
  const totals = () => bed.store.totals()

  describe('on the way', () => {
    test('sends stored events as the upstream wants them and counts them as forwarded', async () => {
      bed.forwarder.start()
      const ids = await bed.record(2)
      await bed.drained()
      const [call] = bed.upstream.calls
      expect(call?.url).toBe('https://rest.zuora.com/usage/bulk/id%20of%20calls')
      expect(Object.fromEntries(call?.headers ?? [])).toEqual({
        authorization: 'Bearer token-1',
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'accept-encoding': 'gzip',
        'zuora-track-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      })
      expect(call?.init).toMatchObject({ method: 'POST', redirect: 'manual' })
      expect(call?.rows).toEqual(
        ids.map((id, quantity) => ({
          ...{ UsageIdentifier: id, CustomerId: 'acme', UsageDate: '2026-11-23T12:00:00Z', Quantity: quantity },
        })),
      )
      expect(await totals()).toMatchObject({ received: 2, forwarded: 2, dead: 0 })
      expect(lane()).toMatchObject({ calls: 1, accepted: 2, buried: 0, failuresInARow: 0 })
    })

    test('names the entity and the organisation when configured', async () => {
      await rebuild({ upstream: { entityIds: 'e1', orgIds: 'o1,o2' } })
      bed.forwarder.start()
      await bed.record(1)
      await bed.drained()
      const headers = bed.upstream.calls[0]?.headers
      expect([headers?.get('Zuora-Entity-Ids'), headers?.get('Zuora-Org-Ids')]).toEqual(['e1', 'o1,o2'])
    })

    test('takes a whole upload URL, on the host of the token only', async () => {
      const url = 'https://rest.zuora.com/usage/bulk/unique'
      await rebuild({ routes: [routeOf('calls', { url })] })
      bed.forwarder.start()
      await bed.record(1)
      await bed.drained()
      expect(bed.upstream.calls[0]?.url).toBe(url)
      const elsewhere = openForwardBed({ routes: [routeOf('calls', { url: 'https://rest.zuora.com.evil.example/x' })] })
      await expect(elsewhere).rejects.toMatchObject({
        code: 'bad_option',
        message: expect.stringContaining('another host'),
      })
    })

    test('waits a little for more when there is little', async () => {
      bed.forwarder.start()
      await bed.record(1)
      await bed.time.advance(100)
      await bed.record(2)
      await bed.time.advance(99)
      expect(bed.upstream.calls).toHaveLength(0)
      await bed.time.advance(1)
      expect(bed.upstream.calls.map(({ rows }) => rows.length)).toEqual([3])
      // An idle lane asks for no token and makes no call.
      await bed.time.advance(3_600_000 * 3)
      expect([bed.upstream.calls.length, bed.upstream.tokenRequests.length]).toEqual([1, 1])
    })

    test('sends full calls at once when there is much', async () => {
      await rebuild({ upstream: SANDBOX })
      const ids = await bed.record(2_500)
      const startMs = bed.time.clock()
      bed.forwarder.start()
      await bed.time.advance(0)
      expect(bed.upstream.calls.map(({ rows }) => rows.length)).toEqual([1_000, 1_000])
      await bed.drained()
      expect(bed.time.clock() - startMs).toBe(200)
      expect(bed.upstream.accepted).toEqual(ids)
    })

    test('keeps each call under the limit of bytes', async () => {
      await rebuild({
        upstream: SANDBOX,
        routes: [routeOf('calls', { fields: { UsageIdentifier: 'id', Text: 'data.text' } })],
      })
      await bed.record(40, 'calls', () => ({ text: 'é'.repeat(50_000) }))
      bed.forwarder.start()
      await bed.drained()
      for (const { rows } of bed.upstream.calls)
        expect(Buffer.byteLength(JSON.stringify(rows))).toBeLessThanOrEqual(900_000)
      expect(bed.upstream.calls).toHaveLength(5)
    })

    test('what cannot be mapped becomes a dead letter at once; the rest goes', async () => {
      await bed.record(3, 'calls', (seq) => ({ quantity: ['private 😀', 1, null][seq] }))
      bed.forwarder.start()
      await bed.drained()
      expect(bed.upstream.accepted).toEqual([eventId(STREAM, 1)])
      expect((await bed.store.deadLetters()).map(({ seq, code }) => [seq, code])).toEqual([
        [2, 'missing_field'],
        [0, 'unsupported_text'],
      ])
    })

    test('a stored event without a route stays and is reported', async () => {
      await bed.record(3, 'storage')
      bed.forwarder.start()
      await bed.time.advance(120_000)
      expect(bed.logs).toContainEqual({
        level: 'warn',
        event: 'lane_without_route',
        fields: { lane: 'storage', events: 3 },
      })
      expect(await bed.store.backlog()).toMatchObject([{ lane: 'storage', waiting: 3, inDelivery: 0 }])
    })

    test('one lane does not wait for another', async () => {
      await rebuild({ routes: [routeOf('calls'), routeOf('storage')] })
      bed.upstream.usual = (call) => (call.url.includes('calls') ? json(403, {}) : ok(call))
      await bed.record(2)
      const ids = await bed.record(2, 'storage')
      bed.forwarder.start()
      await bed.time.advance(1_000)
      expect(bed.upstream.accepted).toEqual(ids)
      expect(lane('calls')?.state).toBe('paused')
      expect(lane('storage')?.state).toBe('idle')
    })
  })

  describe('in doubt', () => {
    test('resends identical bytes under the same id, until there is an answer', async () => {
      const hang = () => new Promise<Response>(() => {})
      const lost = () => {
        throw Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNRESET' } })
      }
      const cutOff = () =>
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode('{"success":'))
              controller.error(new Error('private'))
            },
          }),
        )
      const odd = () => new Response('<html>private login page</html>')
      bed.upstream.script.push(() => json(500, {}), lost, hang, odd)
      bed.forwarder.start()
      const ids = await bed.record(50)
      await bed.time.until(() => bed.upstream.calls.length === 4)
      // New events come meanwhile: they must not slip into the delivery that is in doubt.
      const more = await bed.record(5)
      bed.upstream.script.push(cutOff)
      await bed.drained()
      const { calls } = bed.upstream
      expect(calls).toHaveLength(7)
      for (const { bytes, headers } of calls.slice(1, 6)) {
        expect(Buffer.from(bytes).equals(calls[0]?.bytes ?? Buffer.of())).toBe(true)
        expect(headers.get('Zuora-Track-Id')).toBe(calls[0]?.headers.get('Zuora-Track-Id'))
      }
      expect(bed.upstream.accepted).toEqual([...ids, ...more])
      expect(await totals()).toMatchObject({ forwarded: 55, dead: 0 })
    })

    test('waits longer each time, and at least as long as it is told', async () => {
      const at: number[] = []
      const startMs = bed.time.clock()
      const note = (answer: () => Response) => () => {
        at.push(bed.time.clock() - startMs)
        return answer()
      }
      bed.upstream.script.push(
        note(() => json(500, {})),
        note(() => json(502, {})),
        note(() => json(500, {})),
      )
      bed.upstream.script.push(note(() => json(429, {}, { 'Retry-After': '100' })))
      bed.upstream.usual = (call) => note(() => ok(call) as Response)()
      bed.forwarder.start()
      await bed.record(1)
      await bed.drained()
      // Linger 200, then half of 1 s, 2 s, 4 s; then what was asked for and half of 8 s.
      expect(at).toEqual([200, 700, 1_700, 3_700, 107_700])
    })

    test('new events do not end a back-off early', async () => {
      bed.upstream.script.push(() => json(503, {}, { 'Retry-After': '60' }))
      bed.forwarder.start()
      await bed.record(1)
      await bed.time.advance(1_000)
      expect(lane()).toMatchObject({ state: 'backing_off', reason: 'HTTP 503', resumesAtMs: expect.any(Number) })
      await bed.record(1)
      await bed.time.advance(50_000)
      expect(bed.upstream.calls).toHaveLength(1)
      await bed.drained()
    })

    test('a long outage: the same bytes again and again, and new events do not pile up as deliveries', async () => {
      await rebuild({ upstream: SANDBOX })
      bed.upstream.usual = () => json(503, {})
      bed.forwarder.start()
      await bed.record(10)
      const bodies = () => bed.upstream.calls.map(({ bytes }) => Buffer.from(bytes).toString('base64'))
      await bed.time.advance(2 * 3_600_000)
      expect(bodies().length).toBeGreaterThan(50)
      expect(new Set(bodies()).size).toBe(1)
      for (let round = 0; round < 240; round++) {
        await bed.record(10)
        await bed.time.advance(60_000)
      }
      expect(new Set(bodies()).size).toBeLessThan(6)
      bed.upstream.usual = ok
      await bed.drained()
      expect(bed.upstream.accepted).toHaveLength(2_410)
      expect(new Set(bed.upstream.accepted).size).toBe(2_410)
    })

    test('one delivery that always fails does not hold up the others, and is split in the end', async () => {
      await rebuild({ upstream: SANDBOX })
      const bad = eventId(STREAM, 700)
      bed.upstream.usual = refuseIf((row) => row.UsageIdentifier === bad, 500)
      bed.forwarder.start()
      await bed.record(1_000)
      await bed.time.until(() => bed.upstream.calls.length >= 6)
      for (let round = 0; round < 120; round++) {
        await bed.record(10)
        await bed.time.advance(60_000)
      }
      expect(bed.upstream.accepted).not.toContain(bad)
      expect(new Set(bed.upstream.accepted).size).toBe(1_000 + 1_200 - 1)
      expect(await bed.store.backlog()).toMatchObject([{ lane: 'calls', waiting: 0, inDelivery: 1 }])
      expect(await totals()).toMatchObject({ forwarded: 2_199, dead: 0 })
    })
  })

  describe('refused', () => {
    test('finds the poison event, buries it with its reason, sends the others', async () => {
      const bad = eventId(STREAM, 321)
      bed.upstream.usual = (call) =>
        call.rows.some((row) => row.UsageIdentifier === bad)
          ? json(400, { success: false, reasons: [{ code: 53100320, message: 'private: Quantity 321 is odd' }] })
          : ok(call)
      bed.forwarder.start()
      const ids = await bed.record(1_000)
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual(ids.filter((id) => id !== bad).toSorted())
      expect(await bed.store.deadLetters()).toEqual([
        expect.objectContaining({
          ...{ stream: STREAM, seq: 321, account: 'acme', data: '{"quantity":321}', code: 'refused' },
          detail: 'private: Quantity 321 is odd',
        }),
      ])
      expect(bed.upstream.calls.length).toBeLessThanOrEqual(21)
      // Never again unchanged.
      const bodies = bed.upstream.calls.map(({ bytes }) => Buffer.from(bytes).toString('base64'))
      expect(new Set(bodies).size).toBe(bodies.length)
    })

    test('a 200 that says success: false is a refusal', async () => {
      bed.upstream.usual = () => json(200, { success: false, message: 'no' })
      bed.forwarder.start()
      await bed.record(2)
      await bed.drained()
      expect(await totals()).toMatchObject({ forwarded: 0, dead: 2 })
    })

    test('a refusal for the moment is no refusal of the event', async () => {
      bed.upstream.script.push(() => json(400, { success: false, reasons: [{ code: 53100350, message: 'locked' }] }))
      bed.forwarder.start()
      await bed.record(2)
      await bed.drained()
      expect(bed.upstream.calls[1]?.bytes).toEqual(bed.upstream.calls[0]?.bytes)
      expect(await totals()).toMatchObject({ forwarded: 2, dead: 0 })
    })

    test('413: halves, and learns what the upstream takes', async () => {
      const size = (rows: readonly unknown[]) => Buffer.byteLength(JSON.stringify(rows))
      bed.upstream.usual = (call) => (size(call.rows) > 200_000 ? json(413, {}) : ok(call))
      bed.forwarder.start()
      const ids = await bed.record(5_000)
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual(ids.toSorted())
      const refusedCalls = bed.upstream.calls.filter(({ rows }) => size(rows) > 200_000).length
      const more = await bed.record(5_000)
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual([...ids, ...more].toSorted())
      expect(bed.upstream.calls.filter(({ rows }) => size(rows) > 200_000)).toHaveLength(refusedCalls)
      expect(await totals()).toMatchObject({ forwarded: 10_000, dead: 0 })
    })

    test('413 for one event alone: it is buried, and the others keep their size', async () => {
      const bad = eventId(STREAM, 5)
      bed.upstream.usual = refuseIf((row) => row.UsageIdentifier === bad, 413)
      bed.forwarder.start()
      await bed.record(100)
      await bed.drained()
      expect((await bed.store.deadLetters()).map(({ seq, code }) => [seq, code])).toEqual([[5, 'too_large']])
      const before = bed.upstream.calls.length
      await bed.record(5_000)
      await bed.drained()
      expect(bed.upstream.calls.length - before).toBe(1)
    })

    test('when everything is refused the queue is kept, and goes when the upstream is right again', async () => {
      bed.upstream.usual = () => json(400, { message: 'private' })
      bed.forwarder.start()
      await bed.record(12_000)
      await bed.time.advance(3_600_000)
      expect(await totals()).toMatchObject({ forwarded: 0, dead: 20 })
      expect(lane()).toMatchObject({
        state: 'paused',
        reason: expect.stringContaining('everything is refused: HTTP 400'),
      })
      const callsInFirstHour = bed.upstream.calls.length
      expect(callsInFirstHour).toBeLessThan(300)
      await bed.time.advance(12 * 3_600_000)
      expect(bed.upstream.calls.length - callsInFirstHour).toBeLessThan(1_000)
      expect(await totals()).toMatchObject({ forwarded: 0, dead: 20 })
      bed.upstream.usual = ok
      await bed.drained()
      expect(await totals()).toMatchObject({ forwarded: 11_980, dead: 20, missing: 0 })
      expect(new Set(bed.upstream.accepted).size).toBe(11_980)
      expect(bed.upstream.accepted).toHaveLength(11_980)
      expect(bed.logs).toContainEqual({ level: 'info', event: 'lane_recovered', fields: { lane: 'calls' } })
    })

    test('a long row of bad events does not stop the good ones behind it, and is buried in the end', async () => {
      await rebuild({ upstream: SANDBOX })
      const isBad = (row: Record<string, unknown>) => (row.Quantity as number) < 100
      bed.upstream.usual = refuseIf(isBad)
      const good = (await bed.record(3_000)).slice(100)
      bed.forwarder.start()
      // All but what stands in the first call with the bad ones is through within seconds: 450 calls a minute are allowed.
      await bed.time.advance(20_000)
      expect(bed.upstream.accepted.length).toBeGreaterThan(1_900)
      // They are buried while others are accepted, for only that shows that the upstream is right about them.
      while ((await totals()).dead < 100) {
        good.push(...(await bed.record(1)))
        await bed.time.advance(60_000)
        if (good.length > 4_000) throw new Error('They were never buried.')
      }
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual(good.toSorted())
      expect(await totals()).toMatchObject({ forwarded: good.length, dead: 100 })
    })
  })

  describe('blocked', () => {
    test.each<[string, () => Response, string]>([
      ['403', () => json(403, {}), 'HTTP 403'],
      ['404', () => json(404, {}), 'HTTP 404'],
      ['a redirect', () => new Response(null, { status: 307, headers: { Location: 'https://x.example' } }), 'restBase'],
      ['an unknown 4xx', () => json(418, {}), 'HTTP 418'],
    ])('%s pauses the lane and keeps its queue', async (_, answer, reason) => {
      bed.upstream.script.push(answer, answer)
      bed.forwarder.start()
      await bed.record(3)
      await bed.time.advance(10_000)
      expect(lane()).toMatchObject({ state: 'paused', reason: expect.stringContaining(reason) })
      await bed.record(1)
      await bed.time.advance(40_000)
      expect(bed.upstream.calls).toHaveLength(1)
      await bed.time.advance(60_000)
      expect(bed.upstream.calls).toHaveLength(2)
      await bed.drained()
      expect(await totals()).toMatchObject({ forwarded: 4, dead: 0 })
    })

    test('401: one new token and one retry with the same bytes, then a pause', async () => {
      const no = () => json(401, {})
      bed.upstream.script.push(no)
      bed.forwarder.start()
      await bed.record(1)
      await bed.drained()
      const [first, second] = bed.upstream.calls
      expect([first, second].map((call) => call?.headers.get('Authorization'))).toEqual([
        'Bearer token-1',
        'Bearer token-2',
      ])
      expect(second?.bytes).toEqual(first?.bytes)
      bed.upstream.script.push(no, no)
      await bed.record(1)
      await bed.time.advance(10_000)
      expect(bed.upstream.calls).toHaveLength(4)
      expect(lane()).toMatchObject({ state: 'paused', reason: expect.stringContaining('HTTP 401') })
      await bed.drained()
    })

    test('without a token nothing is claimed', async () => {
      const good = bed.upstream.token
      bed.upstream.token = () => json(401, { error: 'invalid_client' })
      bed.forwarder.start()
      await bed.record(1)
      await bed.time.advance(100_000)
      expect(lane()).toMatchObject({ state: 'paused', reason: expect.stringContaining('clientSecret'), calls: 0 })
      expect(await bed.store.backlog()).toMatchObject([{ lane: 'calls', waiting: 1, inDelivery: 0 }])
      bed.upstream.token = () => json(503, {})
      await bed.time.advance(60_000)
      expect(lane()).toMatchObject({ state: 'backing_off', reason: 'token request: HTTP 503' })
      bed.upstream.token = good
      await bed.drained()
    })
  })

  describe('stops and crashes', () => {
    test('stop() lets a call under way end', async () => {
      let answer: (response: Response) => void = () => {}
      bed.upstream.script.push(
        () =>
          new Promise<Response>((resolve) => {
            answer = resolve
          }),
      )
      bed.forwarder.start()
      await bed.record(2)
      await bed.time.advance(300)
      const stopping = bed.forwarder.stop()
      await bed.record(1)
      await bed.time.advance(5_000)
      answer(json(200, { success: true }))
      await bed.time.advance(0)
      await stopping
      expect(bed.upstream.calls).toHaveLength(1)
      expect(await totals()).toMatchObject({ received: 3, forwarded: 2 })
      expect(lane()).toMatchObject({ state: 'stopped' })
    })

    test('stop() cuts off a call that takes too long; the next start sends the same bytes at once', async () => {
      bed.upstream.script.push(() => new Promise<Response>(() => {}))
      bed.forwarder.start()
      await bed.record(2)
      await bed.time.advance(300)
      const stopping = bed.forwarder.stop()
      await bed.time.advance(10_000)
      await stopping
      bed.restart()
      await bed.time.advance(0)
      expect(bed.upstream.calls).toHaveLength(2)
      expect(bed.upstream.calls[1]?.bytes).toEqual(bed.upstream.calls[0]?.bytes)
      await bed.drained()
    })

    test('stop() ends a pause and a back-off at once', async () => {
      bed.upstream.usual = () => json(403, {})
      bed.forwarder.start()
      await bed.record(1)
      await bed.time.advance(1_000)
      await bed.forwarder.stop()
      expect(lane()?.state).toBe('stopped')
    })

    test('after a crash the next start sends the same bytes once the claim has ended, new events before that', async () => {
      // The first process dies in the middle of its call: its answer never comes, and it never settles anything.
      bed.upstream.script.push(() => new Promise<Response>(() => {}))
      let bringOut: () => void = () => {}
      const postponeDelivery = (): Promise<void> =>
        new Promise((resolve) => {
          bringOut = resolve
        })
      const dead: RelayStore = { ...bed.store, postponeDelivery }
      bed.restart({ store: dead })
      const ids = await bed.record(2)
      const crashMs = bed.time.clock()
      await bed.time.advance(1_000)
      expect(bed.upstream.calls).toHaveLength(1)
      const next = bed.restart()
      const more = await bed.record(2)
      next.wake()
      await bed.time.advance(1_000)
      expect(bed.upstream.accepted).toEqual(more)
      await bed.drained()
      expect(bed.upstream.accepted).toEqual([...more, ...ids])
      expect(bed.upstream.calls[2]?.bytes).toEqual(bed.upstream.calls[0]?.bytes)
      // Lease: four time limits of 30 s and a margin; then at most one look every five seconds.
      expect(bed.time.clock() - crashMs).toBeGreaterThanOrEqual(130_000)
      expect(bed.time.clock() - crashMs).toBeLessThan(140_000)
      bringOut()
    })

    test('a store that fails costs time, not events', async () => {
      let failures = 3
      const flaky = <A extends unknown[], R>(method: (...args: A) => Promise<R>) => {
        return (...args: A): Promise<R> => (failures-- > 0 ? Promise.reject(new Error('disk')) : method(...args))
      }
      const { store } = bed
      const shaky = { ...store, acceptDelivery: flaky(store.acceptDelivery), openDelivery: flaky(store.openDelivery) }
      bed.restart({ store: shaky })
      const ids = await bed.record(3)
      await bed.drained()
      expect(new Set(bed.upstream.accepted)).toEqual(new Set(ids))
      expect(bed.logs.filter(({ event }) => event === 'lane_failed')).toHaveLength(3)
      expect(await totals()).toMatchObject({ forwarded: 3 })
    })
  })
})
