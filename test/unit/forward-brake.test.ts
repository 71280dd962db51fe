import { afterEach, describe, expect, test } from 'vitest'
import { eventId } from '../../src/meter/contract.ts'
import type { MeterRoute } from '../../src/relay/contract.ts'
import { json, refuseIf } from '../support/fake-upstream.ts'
import { type ForwardBed, openForwardBed, routeOf, STREAM } from '../support/forward-fixture.ts'

const FIELDS = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at' } as const
const WRONG = { ...FIELDS, Quantity: 'data.quantiy' } as const
const DAY_MS = 86_400_000

type Upstream = Partial<MeterRoute['upstream']>

describe('fields that fit no event', () => {
  let bed: ForwardBed
  afterEach(() => bed.close())

  const open = async (upstream: Upstream) => {
    bed = await openForwardBed({ upstream: { environment: 'api-sandbox' }, routes: [routeOf('calls', upstream)] })
    bed.forwarder.start()
  }
  const restart = async (upstream: Upstream = {}) => {
    await bed.forwarder.stop()
    bed.restart({ routes: [routeOf('calls', upstream)] })
  }
  const lane = (name = 'calls') => bed.forwarder.stats().find((stats) => stats.lane === name)
  const totals = () => bed.store.totals()

  test('keep the whole queue, say which field, and cost nothing once they are mended', async () => {
    await open({ fields: WRONG })
    const ids = await bed.record(2_500)
    await bed.time.advance(3_600_000)
    expect(await totals()).toMatchObject({ dead: 0, forwarded: 0 })
    expect(await bed.store.backlog()).toMatchObject([{ lane: 'calls', waiting: 2_500, inDelivery: 0 }])
    const reason =
      'no event can be mapped (missing_field): Field "Quantity" (data.quantiy) is missing. ' +
      "correct the meter's fields, then restart the relay; nothing is buried meanwhile"
    const code = 'everything_unmappable'
    expect(lane()).toMatchObject({ state: 'paused', code, reason, resumesAtMs: expect.any(Number), calls: 0 })
    const fields = { lane: 'calls', code, reason, pauseMs: 60_000 }
    expect(bed.logs).toContainEqual({ level: 'error', event: 'lane_paused', fields })
    await restart()
    await bed.drained()
    expect(bed.upstream.accepted).toEqual(ids)
    expect(await totals()).toMatchObject({ dead: 0, forwarded: 2_500 })
  })

  test.each<[string, MeterRoute['upstream']['fields'][string], string]>([
    [
      'a function that throws',
      () => {
        throw new Error('private')
      },
      'mapping_failed',
    ],
    ['a source that is an object', 'data.nested', 'unsupported_value'],
  ])('%s', async (_, source, code) => {
    await open({ fields: { ...FIELDS, Quantity: source } })
    await bed.record(20, 'calls', () => ({ nested: {} }))
    await bed.time.advance(1_000)
    expect(lane()).toMatchObject({ state: 'paused', reason: expect.stringContaining(`(${code}): Field "Quantity"`) })
    expect(await totals()).toMatchObject({ dead: 0 })
  })

  test('that come one by one are told after nineteen; the resume of a lane buries no more of them', async () => {
    await open({ fields: WRONG })
    for (let each = 0; each < 40; each++) {
      await bed.record(1)
      await bed.time.advance(61_000)
    }
    expect(await totals()).toMatchObject({ dead: 19 })
    expect(lane()).toMatchObject({ code: 'everything_unmappable' })
    await bed.store.pauseLane('calls', 'looking into it', 0)
    await bed.time.advance(61_000)
    expect(lane()?.code).toBeUndefined()
    await bed.store.resumeLane('calls')
    bed.forwarder.wake('calls')
    await bed.time.advance(3_600_000)
    expect(await totals()).toMatchObject({ dead: 19 })
    await restart()
    await bed.drained()
    expect(await totals()).toMatchObject({ dead: 19, forwarded: 21 })
  })

  test('end by one that can be mapped: the lane goes on by itself, and what did not fit is buried', async () => {
    await open({ fields: { ...FIELDS, Quantity: 'data.n' } })
    await bed.record(30, 'calls', () => ({}))
    await bed.time.advance(1_000)
    expect(lane()?.state).toBe('paused')
    const good = await bed.record(1, 'calls', () => ({ n: 1 }))
    await bed.drained()
    expect(bed.upstream.accepted).toEqual(good)
    expect(await totals()).toMatchObject({ dead: 30, forwarded: 1 })
    expect(bed.logs).toContainEqual({ level: 'info', event: 'lane_recovered', fields: { lane: 'calls' } })
  })

  test('are not seen in bad events among good ones, however many: those are buried, and nothing waits for them', async () => {
    await open({ fields: { ...FIELDS, Quantity: 'data.n' } })
    const isGood = (seq: number) => seq < 100 || seq === 180 || seq >= 400
    const ids = await bed.record(1_000, 'calls', (seq) => (isGood(seq) ? { n: seq } : {}))
    await bed.drained()
    expect(bed.upstream.accepted.toSorted()).toEqual(ids.filter((_, seq) => isGood(seq)).toSorted())
    expect((await totals()).dead).toBe(1_000 - bed.upstream.accepted.length)
    expect(bed.logs.filter(({ event }) => event === 'lane_paused')).toEqual([])
  })

  test('from some event on: what is before goes, the rest is kept', async () => {
    await open({ fields: { ...FIELDS, Quantity: 'data.n' } })
    const ids = await bed.record(300, 'calls', (seq) => (seq < 100 ? { n: seq } : { renamed: seq }))
    await bed.time.advance(600_000)
    expect(bed.upstream.accepted).toEqual(ids.slice(0, 100))
    expect(await totals()).toMatchObject({ dead: 0, forwarded: 100 })
    expect(lane()?.code).toBe('everything_unmappable')
    await restart({ fields: { ...FIELDS, Quantity: ({ data }) => Object.values(data as object)[0] } })
    await bed.drained()
    expect(bed.upstream.accepted).toEqual(ids)
  })

  test('of a single account do not keep its neighbours waiting, however many; those of two are kept', async () => {
    await open({ fields: { ...FIELDS, Quantity: 'data.n' } })
    await bed.record(1_300, 'calls', () => ({}))
    await bed.time.advance(1_000)
    expect(lane()?.code).toBe('everything_unmappable')
    expect(await totals()).toMatchObject({ dead: 0 })
    const good = await bed.record(3, 'calls', (n) => ({ n }), 'beside')
    await bed.drained()
    expect(bed.upstream.accepted).toEqual(good)
    expect(await totals()).toMatchObject({ dead: 1_300, forwarded: 3 })
    await restart({ fields: WRONG })
    await bed.record(30)
    await bed.record(30, 'calls', undefined, 'beside')
    await bed.time.advance(600_000)
    expect(lane()?.code).toBe('everything_unmappable')
    expect(await totals()).toMatchObject({ dead: 1_300 })
  })

  test('are told by a neighbour’s event, too: those of a large account are kept before it', async () => {
    await open({ fields: WRONG })
    const ids = await bed.record(5_000)
    const others = await bed.record(30, 'calls', undefined, 'beside')
    await bed.time.advance(3_600_000)
    expect(lane()?.code).toBe('everything_unmappable')
    expect(await totals()).toMatchObject({ dead: 0 })
    await restart()
    await bed.drained()
    expect(bed.upstream.accepted.toSorted()).toEqual([...ids, ...others].toSorted())
  })

  test('late events: their lane looks further than the one event that it sends at a time', async () => {
    await open({ fields: { ...FIELDS, Quantity: 'data.n' } })
    await bed.forwarder.stop()
    const good = (await bed.record(60, 'calls', (seq) => (seq < 50 ? {} : { n: seq }))).slice(50)
    await bed.time.advance(29 * DAY_MS)
    bed.restart()
    await bed.drained()
    expect(bed.upstream.accepted).toEqual(good)
    expect(await totals()).toMatchObject({ dead: 50 })
    await bed.forwarder.stop()
    await bed.record(60, 'calls', () => ({}))
    await bed.time.advance(29 * DAY_MS)
    bed.restart()
    await bed.time.advance(600_000)
    expect(lane('calls:late')).toMatchObject({ state: 'paused', code: 'everything_unmappable' })
    expect((await totals()).dead).toBeLessThan(50 + 20)
  })

  test('do not bury a delivery that was cut before, when the upstream refuses it', async () => {
    await open({})
    const bad = eventId(STREAM, 7)
    bed.upstream.usual = () => json(503, {})
    const ids = await bed.record(900)
    await bed.time.advance(1_000)
    bed.upstream.usual = refuseIf((row) => row.UsageIdentifier === bad)
    await restart({ fields: WRONG })
    await bed.time.advance(3_600_000)
    expect(lane()).toMatchObject({ state: 'paused', code: 'everything_unmappable' })
    expect(await totals()).toMatchObject({ dead: 0, forwarded: 0 })
    await restart()
    await bed.drained()
    expect(bed.upstream.accepted.toSorted()).toEqual(ids.filter((id) => id !== bad).toSorted())
    expect(await totals()).toMatchObject({ dead: 1, forwarded: 899 })
  })

  test('of such a delivery let what was recorded since go on', async () => {
    await open({})
    bed.upstream.usual = () => json(503, {})
    await bed.record(900)
    await bed.time.advance(1_000)
    bed.upstream.usual = refuseIf((row) => row.UsageIdentifier === eventId(STREAM, 7))
    await restart({ fields: { ...FIELDS, Quantity: 'data.n' } })
    await bed.time.advance(120_000)
    expect(lane()).toMatchObject({ state: 'paused', code: 'everything_unmappable' })
    const good = await bed.record(3, 'calls', (n) => ({ n }), 'beside')
    await bed.time.advance(600_000)
    expect(bed.upstream.accepted).toEqual(good)
    expect(await totals()).toMatchObject({ dead: 0, forwarded: 3 })
  })

  test('are the event’s own fault where its text or number is', async () => {
    await open({})
    await bed.record(50, 'calls', () => ({ quantity: '😀' }))
    await bed.drained()
    expect(await totals()).toMatchObject({ dead: 50 })
    expect(lane()?.state).not.toBe('paused')
  })

  test('bury all of it where the route says so', async () => {
    await open({ fields: WRONG, whenUnmappable: 'bury' })
    await bed.record(50)
    await bed.drained()
    expect(await totals()).toMatchObject({ dead: 50 })
  })
})
