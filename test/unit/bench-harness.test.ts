import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { mainThreadTasks, type TraceEvent } from '../../bench/browser/trace.ts'
import type { Ratio } from '../../bench/contract.ts'
import { figure, isMet, reportText, tableText } from '../../bench/harness/format.ts'
import { inParallel, interleave } from '../../bench/harness/rounds.ts'
import { quantile, ratioOf, spreadOf } from '../../bench/harness/stats.ts'
import { barShares, chartSvg } from '../../bench/harness/svg.ts'
import { RECORDING_MARK } from '../../bench/page/contract.ts'
import type { SinkRequest } from '../../bench/sink/contract.ts'
import { metertapFormat } from '../../bench/sink/formats/metertap.ts'
import { PEER_FORMATS } from '../../bench/sink/formats/peers.ts'
import { openSink } from '../../bench/sink/server.ts'
import { Tally } from '../../bench/sink/tally.ts'

describe('statistics', () => {
  test('a quantile lies between its neighbours, whatever the order', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(quantile([5, 1, 3], 0.5)).toBe(3)
    expect(quantile([0, 100], 0.99)).toBeCloseTo(99)
    expect(() => quantile([], 0.5)).toThrow(RangeError)
  })

  test('a ratio is taken round by round, not of the medians', () => {
    // The machine was ten times slower in the second round; both subjects met that.
    expect(ratioOf([2, 20, 2], [1, 10, 1])).toEqual({ median: 2, min: 2, max: 2, rounds: 3 })
    expect(() => ratioOf([1], [1, 2])).toThrow(RangeError)
  })
})

describe('rounds', () => {
  test('every subject runs once a round, and the first place goes round', async () => {
    const order: string[] = []
    const measure = async (subject: string) => order.push(subject)
    const results = await interleave(['a', 'b'], { rounds: 2, warmUps: 1 }, measure)
    expect(order).toEqual(['b', 'a', 'a', 'b', 'b', 'a'])
    expect(results, 'the warm-up does not count').toEqual({ a: [3, 6], b: [4, 5] })
  })

  test('jobs run so many at a time, and their results keep the jobs’ order', async () => {
    let running = 0
    let most = 0
    const results = await inParallel([30, 1, 1, 1], 2, async (ms) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, ms))
      running--
      return ms * 2
    })
    expect({ results, most }).toEqual({ results: [60, 2, 2, 2], most: 2 })
  })
})

describe('the report', () => {
  const ratio = (median: number, target: Partial<Ratio>): Ratio => ({ name: 'r', value: spreadOf([median]), ...target })

  test('says whether a target is met by the median', () => {
    expect(isMet(ratio(1.5, { atMost: 1.5 }))).toBe(true)
    expect(isMet(ratio(1.6, { atMost: 1.5 }))).toBe(false)
    expect(isMet(ratio(0.5, { atLeast: 0.6 }))).toBe(false)
    expect(isMet(ratio(0.5, {}))).toBeUndefined()
  })

  test('stands ratios first', () => {
    const table = { title: 'T', columns: ['c', 'n'], rows: [['x', 12_345.6]] }
    const text = reportText({ ratios: [ratio(2, { atMost: 1 })], tables: [table], charts: [], notes: ['note'] })
    expect(text.indexOf('✗ target ≤ 1')).toBeGreaterThan(0)
    expect(text.indexOf('✗ target ≤ 1')).toBeLessThan(text.indexOf(tableText(table)))
    expect(text).toContain('12,346')
  })

  test('gives three figures that count', () => {
    expect([0, 0.012_345, 1.234_5, 12.345, 123.45, 12_345.6, Number.NaN].map(figure)).toEqual([
      ...['0', '0.0123', '1.23', '12.3', '123', '12,346', '–'],
    ])
  })
})

describe('a chart', () => {
  test('draws bars as long as their values, or as their powers of ten', () => {
    expect(barShares([50, 100, 0])).toEqual([0.5, 1, 0])
    const [small = 0, big = 0, none] = barShares([10, 1_000, 0], true)
    expect(big).toBe(1)
    expect(small).toBeGreaterThan(0)
    expect(small).toBeLessThan(0.5)
    expect(none).toBe(0)
  })

  test('is sound XML, whatever the labels hold', () => {
    const svg = chartSvg({ name: 'c', title: 'a < b & "c"', unit: 'ms', bars: [{ label: '<script>', value: 1 }] })
    expect(svg).not.toContain('<script>')
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;')
    expect(svg.match(/<rect/g)).toHaveLength(2)
  })
})

test('a tally tells what was delivered from what came again, and that from what no id can catch', () => {
  const tally = new Tally()
  const batch = [
    { n: 0, id: 'a' },
    { n: 1, id: 'b' },
  ]
  tally.add(batch, 100, 1_000)
  tally.add(batch, 100, 2_000)
  tally.add([{ n: 1, id: 'other' }], 50, 3_000)
  tally.add([{ n: 2, id: 'c' }], 50, 4_000)
  tally.add([], 999, 9_000)
  expect(tally.arrivals).toMatchObject({ delivered: 3, resent: 2, doubled: 1, requests: 4, bytes: 300 })
  expect(tally.arrivals).toMatchObject({ lastMs: 4_000, lastRequestMs: 4_000, unread: [] })
})

test('a trace’s tasks are those of pages’ main threads, and the one that recorded is known', () => {
  const task = (tid: number, ts: number, dur: number, tdur: number): TraceEvent => ({
    ...{ name: 'ThreadControllerImpl::RunTask', ph: 'X', pid: 1 },
    ...{ tid, ts, dur, tdur },
  })
  const names: TraceEvent[] = [
    { name: 'thread_name', ph: 'M', pid: 1, tid: 7, ts: 0, args: { name: 'CrRendererMain' } },
    { name: 'thread_name', ph: 'M', pid: 1, tid: 8, ts: 0, args: { name: 'Compositor' } },
  ]
  const mark: TraceEvent = { name: RECORDING_MARK, ph: 'R', pid: 1, tid: 7, ts: 150 }
  expect(
    mainThreadTasks([...names, mark, task(7, 100, 9_000, 8_000), task(7, 20_000, 5_000, 4_000), task(8, 1, 1e6, 1e6)]),
  ).toEqual([
    { wallMs: 9, cpuMs: 8, isRecording: true },
    { wallMs: 5, cpuMs: 4, isRecording: false },
  ])
})

describe('a sink understands what each library sends', () => {
  const ask = (path: string, body: string | Buffer): SinkRequest => ({
    ...{ method: 'POST', url: new URL(path, 'http://sink.test'), headers: {} },
    body: Buffer.from(body),
  })
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
  const inner = JSON.stringify({ data: { schema: 's', data: { n: 7 } } })
  const own = {
    batch: [
      { uuid: 'own', event: '$set', properties: {} },
      { uuid: 'u', properties: { n: 7 } },
    ],
  }
  const counter = { name: 'own', value: 1, attributes: { n: { value: 7, type: 'integer' } } }
  const envelope = ['{}', '{"type":"trace_metric"}', JSON.stringify({ version: 2, items: [counter] })].join('\n')
  const requests: Record<keyof typeof PEER_FORMATS, [SinkRequest, string | undefined]> = {
    segment: [ask('/v1/b', JSON.stringify({ batch: [{ messageId: 'm', properties: { n: 7 } }] })), 'm'],
    posthog: [ask('/e/', gzipSync(JSON.stringify(own))), 'u'],
    amplitude: [ask('/2/httpapi', JSON.stringify({ events: [{ insert_id: 'i', event_properties: { n: 7 } }] })), 'i'],
    snowplow: [ask('/com.snowplowanalytics.snowplow/tp2', JSON.stringify({ data: [{ eid: 'd', ue_pr: inner }] })), 'd'],
    rudderstack: [ask('/v1/batch', JSON.stringify({ batch: [{ messageId: 'r', properties: { n: 7 } }] })), 'r'],
    mixpanel: [
      ask('/track/', new URLSearchParams({ data: base64([{ properties: { n: 7, $insert_id: 'x' } }]) }).toString()),
      'x',
    ],
    // No id of its own: each arrival is another one.
    sentry: [ask('/api/1/envelope/', envelope), undefined],
    applicationinsights: [
      ask('/v2/track', JSON.stringify([{ data: { baseData: { measurements: { n: 7 } } } }])),
      undefined,
    ],
  }

  test.each(Object.keys(PEER_FORMATS) as (keyof typeof PEER_FORMATS)[])('%s', (name) => {
    const [request, id] = requests[name]
    expect(PEER_FORMATS[name].read(request)).toEqual([{ n: 7, id: id ?? expect.any(String) }])
    expect(PEER_FORMATS[name].read(ask('/settings', '{}')), 'other requests carry no events').toBeUndefined()
    expect(() => PEER_FORMATS[name].read({ ...request, body: Buffer.from('nonsense') })).toThrow()
  })

  test('metertap, whose relay says what it holds', async () => {
    const segments = [
      {
        stream: 's',
        first: 3,
        events: [
          ['m', 1, { n: 7 }],
          ['m', 2, { n: 8 }],
        ],
      },
    ]
    const format = metertapFormat()
    const request = ask('/v1/events', JSON.stringify({ segments }))
    expect(format.read(request)).toEqual([
      { n: 7, id: 's-3' },
      { n: 8, id: 's-4' },
    ])
    const { body } = await format.answer(request, undefined)
    expect(JSON.parse(String(body))).toMatchObject({ received: { s: [[3, 4]] }, rejected: [], retry: [] })
  })
})

test('a sink stores before it loses an answer, and takes nothing while it is down', async () => {
  const sink = await openSink(metertapFormat())
  onTestFinished(() => sink.close())
  const segments = [{ stream: 's', first: 0, events: [['m', 1, { n: 0 }]] }]
  const init = { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify({ segments })) }
  const post = () => fetch(`${sink.url}/v1/events`, init)
  sink.loseAnswers(1)
  await expect(post()).rejects.toThrow()
  expect(sink.arrivals).toMatchObject({ delivered: 1, resent: 0 })
  expect((await post()).status).toBe(200)
  expect(sink.arrivals).toMatchObject({ delivered: 1, resent: 1, doubled: 0 })
  await sink.down()
  await expect(post()).rejects.toThrow()
  await sink.up()
  expect((await post()).status).toBe(200)
})
