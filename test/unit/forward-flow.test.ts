import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventId } from '../../src/meter/contract.ts'
import type { FakeUpstream, UpstreamCall } from '../support/fake-upstream.ts'
import { json, ok } from '../support/fake-upstream.ts'
import { type ForwardBed, openForwardBed, routeOf, STREAM } from '../support/forward-fixture.ts'

const SANDBOX = { environment: 'api-sandbox' } as const
const DAY_MS = 86_400_000

describe('the forwarder’s flow', () => {
  let bed: ForwardBed
  beforeEach(async () => {
    bed = await openForwardBed({ upstream: SANDBOX })
  })
  afterEach(() => bed.close())

  async function rebuild(options: Parameters<typeof openForwardBed>[0]): Promise<void> {
    await bed.close()
    bed = await openForwardBed(options)
  }
  const lane = (name = 'calls') => bed.forwarder.stats().find((stats) => stats.lane === name)
  const totals = () => bed.store.totals()

  /** Answers after `ms`, counting how many calls are under way at once. */
  function slowly(ms: number, answer: FakeUpstream['usual'] = ok) {
    const seen = { now: 0, most: 0 }
    const usual = (call: UpstreamCall) =>
      new Promise<Response>((resolve) => {
        seen.most = Math.max(seen.most, ++seen.now)
        bed.time.timer(() => {
          seen.now--
          resolve(answer(call))
        }, ms)
      })
    return { seen, usual }
  }

  describe('several calls at a time', () => {
    test('grow in number while there is much to send and all goes well, up to the most', async () => {
      const { seen, usual } = slowly(1_000)
      bed.upstream.usual = usual
      const ids = await bed.record(30_000)
      bed.forwarder.start()
      await bed.time.advance(500)
      expect([seen.now, lane()?.inFlight, lane()?.maxInFlight]).toEqual([1, 1, 1])
      await bed.time.advance(1_000)
      expect(seen.now).toBe(2)
      await bed.drained()
      expect(seen.most).toBeGreaterThan(4)
      expect(seen.most).toBeLessThanOrEqual(8)
      expect(bed.upstream.accepted).toHaveLength(30_000)
      expect(new Set(bed.upstream.accepted)).toEqual(new Set(ids))
    })

    test('never pass what is configured', async () => {
      await rebuild({ upstream: { ...SANDBOX, maxCallsInFlight: 3 } })
      const { seen, usual } = slowly(500)
      bed.upstream.usual = usual
      await bed.record(30_000)
      bed.forwarder.start()
      await bed.drained()
      expect(seen.most).toBe(3)
    })

    test('a small backlog fills the next call instead of going beside the one under way', async () => {
      const { seen, usual } = slowly(1_000)
      bed.upstream.usual = usual
      bed.forwarder.start()
      for (let round = 0; round < 20; round++) {
        await bed.record(10)
        await bed.time.advance(100)
      }
      await bed.drained()
      expect(seen.most).toBe(1)
      expect(bed.upstream.calls.length).toBeLessThanOrEqual(4)
    })

    test('an outage that hits all of them counts once; then one call at a time until one is taken', async () => {
      const fine = slowly(1_000)
      bed.upstream.usual = fine.usual
      await bed.record(60_000)
      bed.forwarder.start()
      await bed.time.until(() => fine.seen.now >= 4)
      const down = slowly(1_000, () => json(503, {}))
      bed.upstream.usual = down.usual
      await bed.time.until(() => down.seen.now >= 4)
      const width = lane()?.maxInFlight as number
      // All of them have failed, within the same second, and the lane rests.
      await bed.time.until(() => lane()?.state === 'backing_off' && lane()?.inFlight === 0)
      expect(lane()).toMatchObject({ failuresInARow: 1, maxInFlight: Math.floor(width / 2) || 1 })
      down.seen.most = 0
      await bed.time.advance(60_000)
      expect(down.seen.most).toBe(1)
      bed.upstream.usual = fine.usual
      await bed.drained()
      expect(new Set(bed.upstream.accepted).size).toBe(60_000)
      expect(bed.upstream.accepted).toHaveLength(60_000)
    })

    test('stop() waits for all of them', async () => {
      const { seen, usual } = slowly(1_000)
      bed.upstream.usual = usual
      await bed.record(20_000)
      bed.forwarder.start()
      await bed.time.until(() => seen.now >= 3)
      const underWay = seen.now
      let isStopped = false
      const stopping = bed.forwarder.stop().then(() => {
        isStopped = true
      })
      await bed.time.advance(0)
      expect(isStopped).toBe(false)
      await bed.time.advance(1_000)
      await stopping
      expect(seen.now).toBe(0)
      const { forwarded } = await totals()
      expect(forwarded).toBe(bed.upstream.accepted.length)
      expect(forwarded).toBeGreaterThanOrEqual(underWay * 1_000)
    })
  })

  describe('the call budget', () => {
    test('all lanes together stay within four fifths of the tenant’s calls a minute', async () => {
      await rebuild({
        ...{ upstream: SANDBOX, lingerMs: 0, routes: [routeOf('calls'), routeOf('storage')] },
      })
      const at: number[] = []
      bed.upstream.usual = (call) => {
        at.push(bed.time.clock())
        return ok(call)
      }
      bed.forwarder.start()
      for (let round = 0; round < 400; round++) {
        await bed.record(1)
        await bed.record(1, 'storage')
        await bed.time.advance(100)
      }
      await bed.drained()
      for (const start of at) {
        expect(at.filter((time) => time >= start && time < start + 60_000).length).toBeLessThanOrEqual(480)
      }
      // Without the budget there would have been 800 calls in 40 s.
      expect(at.length).toBeGreaterThan(300)
    })

    test('a used-up limit holds every lane: it is the tenant’s', async () => {
      await rebuild({ upstream: SANDBOX, routes: [routeOf('calls'), routeOf('storage')] })
      bed.upstream.script.push(() => json(429, {}, { 'Retry-After': '30' }))
      bed.forwarder.start()
      await bed.record(1)
      await bed.time.advance(1_000)
      await bed.record(1, 'storage')
      await bed.time.advance(28_000)
      expect(bed.upstream.calls).toHaveLength(1)
      expect(lane('storage')).toMatchObject({ state: 'backing_off', reason: expect.stringContaining('allows') })
      await bed.drained()
      expect(bed.upstream.calls).toHaveLength(3)
    })
  })

  describe('order per account', () => {
    test('is kept through every trouble, one call at a time', async () => {
      await rebuild({ upstream: SANDBOX, routes: [routeOf('calls', { ordered: 'account' })] })
      const { seen, usual } = slowly(100)
      bed.upstream.usual = usual
      bed.upstream.script.push(
        () => json(503, {}),
        () => json(429, {}),
        () => Promise.reject(new TypeError('fetch failed')),
        () => json(413, {}),
        () => json(403, {}),
      )
      const ids = await bed.record(5_500)
      bed.forwarder.start()
      await bed.drained()
      expect(seen.most).toBe(1)
      expect(bed.upstream.accepted).toEqual(ids)
    })

    test('a call that fails holds up what is behind it', async () => {
      await rebuild({ upstream: SANDBOX, routes: [routeOf('calls', { ordered: 'account' })] })
      bed.upstream.usual = () => json(500, {})
      const ids = await bed.record(3)
      bed.forwarder.start()
      await bed.time.advance(3_600_000)
      ids.push(...(await bed.record(2_000)))
      await bed.time.advance(3_600_000)
      expect(new Set(bed.upstream.calls.map(({ rows }) => rows[0]?.UsageIdentifier))).toEqual(new Set([ids[0]]))
      bed.upstream.usual = ok
      await bed.drained()
      expect(bed.upstream.accepted).toEqual(ids)
    })
  })

  describe('late events', () => {
    /** Stores events that are so many days old; returns their ids. */
    async function recordOld(numbers: readonly number[], days: number): Promise<string[]> {
      const atMs = bed.time.clock() - days * DAY_MS
      const events = numbers.map((seq) => ({
        ...{ stream: STREAM, seq, meter: 'calls', atMs, data: JSON.stringify({ quantity: seq }) },
      }))
      const who = { tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: bed.time.clock() }
      await bed.store.accept({ ...who, streams: [], events, refused: [] })
      bed.forwarder.wake('calls')
      return numbers.map((seq) => eventId(STREAM, seq))
    }
    const lost = () => Promise.reject(new TypeError('fetch failed'))

    test('go one by one through a lane of their own, the others as always', async () => {
      bed.forwarder.start()
      const old = await recordOld([1_000, 1_001, 1_002], 27.5)
      const young = await recordOld([2_000, 2_001], 26.5)
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual([...old, ...young].toSorted())
      expect(bed.upstream.calls.map(({ rows }) => rows.length).toSorted()).toEqual([1, 1, 1, 2])
      expect(lane('calls:late')).toMatchObject({ late: true, accepted: 3 })
      expect(lane('calls')).toMatchObject({ accepted: 2 })
      expect(lane('calls')).not.toHaveProperty('late')
      const [row] = bed.upstream.calls.at(-1)?.rows ?? []
      expect(row).toMatchObject({ CustomerId: 'acme', Quantity: expect.any(Number) })
    })

    test('within the window a lost answer is sent again, byte for byte', async () => {
      bed.upstream.script.push(lost)
      bed.forwarder.start()
      const old = await recordOld([1_000], 28)
      await bed.drained()
      expect(bed.upstream.accepted).toEqual(old)
      expect(bed.upstream.calls[1]?.bytes).toEqual(bed.upstream.calls[0]?.bytes)
    })

    test('past the window a lost answer parks that one event for the operator', async () => {
      bed.upstream.script.push(lost)
      bed.forwarder.start()
      const old = await recordOld([1_000, 1_001], 40)
      await bed.time.advance(3_600_000)
      expect(bed.upstream.accepted).toEqual([old[1]])
      expect(bed.upstream.calls).toHaveLength(2)
      const [parked] = await bed.store.parkedDeliveries()
      expect(parked).toMatchObject({
        lane: 'calls:late',
        events: [old[0]],
        reason: expect.stringContaining('look it up'),
      })
      expect(lane('calls:late')).toMatchObject({ parked: 1 })
      expect(bed.logs).toContainEqual({
        ...{ level: 'error', event: 'delivery_parked', fields: { lane: 'calls:late', id: parked?.id, rows: 1 } },
      })
      expect(await totals()).toMatchObject({ received: 2, forwarded: 1, dead: 0 })
      // It was not there: once more, and that is all.
      await bed.store.resolveParked(parked?.id ?? '', 'resend', bed.time.clock())
      bed.forwarder.wake('calls:late')
      await bed.drained()
      expect(bed.upstream.accepted).toEqual([old[1], old[0]])
      expect(bed.upstream.calls[2]?.bytes).toEqual(bed.upstream.calls[0]?.bytes)
    })

    test('what was certainly not taken is sent again, however old', async () => {
      const refused = () =>
        Promise.reject(Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } }))
      bed.upstream.script.push(
        refused,
        () => json(429, {}),
        () => json(403, {}),
        () => json(401, {}),
      )
      bed.forwarder.start()
      const old = await recordOld([1_000], 40)
      await bed.drained()
      expect(bed.upstream.accepted).toEqual(old)
      expect(await bed.store.parkedDeliveries()).toEqual([])
    })

    test('a process that dies in the middle of a late call leaves it parked, not sent twice', async () => {
      bed.upstream.script.push(() => new Promise(() => {}))
      let bringOut: () => void = () => {}
      const postponeDelivery = (): Promise<void> =>
        new Promise((resolve) => {
          bringOut = resolve
        })
      const gone = bed.restart({ store: { ...bed.store, postponeDelivery } })
      await recordOld([1_000], 40)
      gone.wake()
      await bed.time.until(() => bed.upstream.calls.length === 1)
      bed.restart({})
      await bed.time.advance(300_000)
      expect(bed.upstream.calls).toHaveLength(1)
      expect(await bed.store.parkedDeliveries()).toHaveLength(1)
      bringOut()
    })

    test('a poison event among them is buried alone, and nothing else is in doubt for it', async () => {
      bed.upstream.usual = (call) => (call.rows[0]?.Quantity === 1_001 ? json(400, {}) : ok(call))
      bed.forwarder.start()
      const old = await recordOld([1_000, 1_001, 1_002], 40)
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual([old[0], old[2]])
      expect(await totals()).toMatchObject({ forwarded: 2, dead: 1 })
    })

    test('refused one by one they are not in doubt: what may not be buried waits, and is not parked', async () => {
      bed.upstream.usual = () => json(400, {})
      bed.forwarder.start()
      const numbers = Array.from({ length: 30 }, (_, i) => i)
      const old = await recordOld(numbers, 40)
      await bed.time.advance(3 * 3_600_000)
      expect(await totals()).toMatchObject({ forwarded: 0, dead: 20 })
      expect(await bed.store.parkedDeliveries()).toEqual([])
      bed.upstream.usual = ok
      await bed.drained()
      expect(bed.upstream.accepted.toSorted()).toEqual(old.slice(20).toSorted())
    })

    test('usual deliveries whose outage outlasts the window are parked too', async () => {
      bed.upstream.usual = () => json(500, {})
      bed.forwarder.start()
      await bed.record(5)
      await bed.time.advance(60_000)
      const calls = bed.upstream.calls.length
      expect(calls).toBeGreaterThan(1)
      await bed.forwarder.stop()
      // The relay is off for longer than the upstream remembers.
      await bed.time.advance(31 * DAY_MS)
      bed.upstream.usual = ok
      bed.restart()
      await bed.time.advance(60_000)
      expect(bed.upstream.calls).toHaveLength(calls)
      expect(await bed.store.backlog()).toMatchObject([{ lane: 'calls', parked: 5, inDelivery: 0 }])
    })

    test('without a Deduplicator every event goes alone, and none is ever sent twice', async () => {
      await rebuild({ upstream: SANDBOX, routes: [routeOf('calls', { dedupWindowDays: 0 })] })
      bed.upstream.script.push(ok, () => json(500, {}), lost)
      bed.forwarder.start()
      const ids = await recordOld([0, 1, 2, 3], 0.001)
      await bed.time.advance(600_000)
      const sent = bed.upstream.calls.flatMap(({ rows }) => rows.map((row) => row.UsageIdentifier))
      expect(sent.toSorted()).toEqual(ids.toSorted())
      expect(bed.upstream.accepted).toHaveLength(2)
      expect(await bed.store.parkedDeliveries()).toHaveLength(2)
    })
  })

  describe('paused by the operator', () => {
    test('a lane sends nothing, its late lane neither, over a restart, until it is resumed', async () => {
      await rebuild({ upstream: SANDBOX, routes: [routeOf('calls'), routeOf('storage')] })
      await bed.store.pauseLane('calls', 'prices are wrong', bed.time.clock())
      bed.forwarder.start()
      const ids = await bed.record(3)
      const others = await bed.record(1, 'storage')
      await bed.time.advance(600_000)
      await bed.forwarder.stop()
      bed.restart()
      await bed.time.advance(600_000)
      expect(bed.upstream.accepted).toEqual(others)
      const reason = 'paused by the operator: prices are wrong'
      expect([lane('calls'), lane('calls:late')]).toMatchObject([
        { state: 'paused', reason },
        { state: 'paused', reason },
      ])
      await bed.store.resumeLane('calls')
      bed.forwarder.wake('calls')
      await bed.time.advance(1_000)
      expect(bed.upstream.accepted).toEqual([...others, ...ids])
    })

    test('a late lane can be paused alone', async () => {
      await bed.store.pauseLane('calls:late', 'too old', 0)
      bed.forwarder.start()
      const ids = await bed.record(1)
      await bed.time.advance(10_000)
      expect(bed.upstream.accepted).toEqual(ids)
      expect(lane('calls:late')).toMatchObject({ state: 'paused' })
    })

    test('resuming says that the cause is mended: refused events may be buried again', async () => {
      bed.upstream.usual = () => json(400, {})
      bed.forwarder.start()
      await bed.record(50)
      await bed.time.advance(3_600_000)
      expect(await totals()).toMatchObject({ dead: 20 })
      await bed.store.pauseLane('calls', 'looking into it', 0)
      await bed.time.advance(16 * 60_000)
      await bed.store.resumeLane('calls')
      bed.forwarder.wake('calls')
      await bed.time.advance(3_600_000)
      expect(await totals()).toMatchObject({ dead: 40 })
    })
  })
})
