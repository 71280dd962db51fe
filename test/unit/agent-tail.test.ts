import { describe, expect, test } from 'vitest'
import type { Group } from '../../src/agent/receipt.ts'
import { RefusalReceipt, TakenReceipt } from '../../src/agent/receipt.ts'
import { StreamBook } from '../../src/agent/stream-book.ts'
import { Tail } from '../../src/agent/tail.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { deferred, failure, settle } from '../support/fake-clock.ts'
import { outboxDouble } from '../support/outbox-double.ts'

const STREAM = '018f0000-0000-7000-8000-000000000001'

function setUp(limits: { maxSegmentBytes?: number; maxSegmentEvents?: number; book?: StreamBook } = {}) {
  const outbox = outboxDouble('process')
  const stored: number[] = []
  const failed: [code: string, events: number][] = []
  const seen = { streams: 0 }
  const tail = new Tail({
    accountTag: 'acme',
    newStreamId: () => {
      seen.streams++
      return STREAM
    },
    now: () => 1_000,
    utf8Length: (text) => Buffer.byteLength(text),
    queueMicrotask,
    maxSegmentBytes: 1_000,
    maxSegmentEvents: 100,
    ...limits,
    onStored: (segments) => stored.push(segments.reduce((sum, { count }) => sum + count, 0)),
    onFailed: ({ code }, events) => failed.push([code, events]),
    rollups: () => ({ open: [], closed: [], strict: false, stored: () => {}, failed: () => {} }),
  })
  return { tail, outbox, stored, failed, seen }
}

const event = (n: number, text = '') => `["calls",${n},"${text}"]`

function add(tail: Tail, count: number, strict = false): { seq: number; group: Group }[] {
  return Array.from({ length: count }, (_, i) => tail.add(event(i), strict))
}

describe('tail: group commit', () => {
  test('a burst in one task is one append, one microtask later', async () => {
    const { tail, outbox, stored } = setUp()
    tail.attach(outbox)
    expect(add(tail, 5).map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4])
    expect(outbox.groups).toHaveLength(0)
    await null
    expect(outbox.groups).toHaveLength(1)
    await tail.settled()
    expect(stored).toEqual([5])
    expect(outbox.groups[0]).toMatchObject({
      head: {
        stream: STREAM,
        accountTag: 'acme',
        openedAtMs: 1_000,
        recorded: 5,
        bytes: outbox.groups[0]?.segments[0]?.bytes,
        dropped: {},
        refused: {},
      },
      segments: [
        expect.objectContaining({
          stream: STREAM,
          first: 0,
          count: 5,
          body: [0, 1, 2, 3, 4].map((n) => event(n)).join(),
        }),
      ],
      strict: false,
    })
  })

  test('the next burst is the next append, with the numbers that follow', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    add(tail, 2)
    await null
    add(tail, 1)
    await tail.settled()
    expect(outbox.groups.map(({ segments }) => segments.map(({ first, count }) => [first, count]))).toEqual([
      [[0, 2]],
      [[2, 1]],
    ])
  })

  test('one event that asks for power makes its group strict, and only that', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    const before = tail.add(event(0), false)
    const strict = tail.add(event(1), true)
    await null
    const after = tail.add(event(2), false)
    await tail.settled()
    expect(outbox.groups.map((group) => group.strict)).toEqual([true, false])
    expect(await Promise.all([before, strict, after].map(({ group }) => group.durable))).toEqual([
      'power',
      'power',
      'process',
    ])
  })

  test('waits for the outbox to open; what came before is one group', async () => {
    const { tail, outbox } = setUp()
    add(tail, 2)
    await settle()
    add(tail, 1)
    await settle()
    expect([outbox.groups.length, tail.waiting]).toEqual([0, 3])
    tail.attach(outbox)
    expect(outbox.groups).toHaveLength(1)
    await tail.settled()
    expect([outbox.groups[0]?.head.recorded, tail.waiting]).toEqual([3, 0])
  })

  test('nothing recorded writes nothing, and opens no stream', async () => {
    const { tail, outbox, seen } = setUp()
    tail.attach(outbox)
    await tail.settled()
    expect([outbox.groups.length, seen.streams]).toEqual([0, 0])
  })

  test('settled() waits for every group, not only the last', async () => {
    const { tail, outbox } = setUp()
    const gate = deferred()
    tail.attach(outbox)
    outbox.before = (group) => (group.head.recorded === 1 ? gate.promise : undefined)
    add(tail, 1)
    await null
    add(tail, 1)
    let done = false
    const settled = tail.settled().then(() => {
      done = true
    })
    await settle()
    expect([done, tail.waiting]).toEqual([false, 1])
    gate.resolve()
    await settled
    expect(tail.waiting).toBe(0)
  })
})

describe('tail: segments', () => {
  test('are cut by number of events', async () => {
    const { tail, outbox } = setUp({ maxSegmentEvents: 4 })
    tail.attach(outbox)
    add(tail, 9)
    await tail.settled()
    expect(outbox.groups.flatMap(({ segments }) => segments.map(({ first, count }) => [first, count]))).toEqual([
      [0, 4],
      [4, 4],
      [8, 1],
    ])
  })

  test('are cut by size, and hold at least one event', async () => {
    const { tail, outbox } = setUp({ maxSegmentBytes: 100 })
    tail.attach(outbox)
    for (const length of [10, 50, 50, 500, 1]) tail.add(event(1, 'x'.repeat(length)), false)
    await tail.settled()
    const segments = outbox.groups.flatMap((group) => group.segments)
    expect(segments.map(({ first, count }) => [first, count])).toEqual([
      [0, 2],
      [2, 1],
      [3, 1],
      [4, 1],
    ])
    for (const { body, count } of segments) {
      if (count > 1) expect(body.length).toBeLessThanOrEqual(100)
    }
  })

  test('tell their UTF-8 bytes, and the head sums them up', async () => {
    const { tail, outbox } = setUp({ maxSegmentEvents: 1 })
    tail.attach(outbox)
    for (const text of ['plain', 'é', '€', '💶']) tail.add(event(1, text), false)
    await tail.settled()
    const [group] = outbox.groups
    expect(group?.segments.map(({ body, bytes }) => bytes - Buffer.byteLength(body))).toEqual([0, 0, 0, 0])
    expect(group?.head.bytes).toBe(group?.segments.reduce((sum, { bytes }) => sum + bytes, 0))
  })
})

describe('tail: refused events', () => {
  test('are counted by code and travel with the next group', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    tail.refuse('not_json')
    tail.refuse('not_json')
    tail.refuse('bad_time')
    add(tail, 1)
    await tail.settled()
    expect(outbox.groups.map(({ head }) => [head.recorded, head.refused])).toEqual([[1, { not_json: 2, bad_time: 1 }]])
  })

  test('travel alone when nothing else is recorded', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    tail.refuse('not_json')
    await settle()
    expect(outbox.groups).toMatchObject([{ segments: [], head: { recorded: 0, refused: { not_json: 1 } } }])
  })
})

describe('tail: an append that fails', () => {
  const full = new MetertapError('outbox_full', 'No room.')

  test('rejects the receipts of its group alone', async () => {
    const { tail, outbox, failed, stored } = setUp()
    tail.attach(outbox)
    outbox.before = () => {
      throw full
    }
    const [lost] = add(tail, 3)
    await null
    outbox.before = () => {}
    const [kept] = add(tail, 1)
    expect(await failure(() => lost?.group.durable)).toBe(full)
    expect(await kept?.group.durable).toBe('process')
    expect(failed).toEqual([['outbox_full', 3]])
    expect(stored.filter((events) => events > 0)).toEqual([1])
  })

  test('declares its events as dropped, so that recorded = waiting + dropped', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    add(tail, 2)
    await tail.settled()
    outbox.before = (group) => {
      if (group.segments.length > 0) throw full
    }
    add(tail, 3)
    await settle()
    const [summary] = await outbox.streams()
    const { events, bytes } = await outbox.totals()
    expect(summary).toMatchObject({ recorded: 5, dropped: { outbox_full: 3 } })
    expect([events, bytes]).toEqual([2, outbox.groups[0]?.segments[0]?.bytes])
  })

  test('does not try for ever to say so; the next group does', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    outbox.before = () => {
      throw full
    }
    add(tail, 3)
    await settle()
    expect(outbox.groups).toHaveLength(2)
    outbox.before = () => {}
    add(tail, 1)
    await settle()
    expect(outbox.groups.at(-1)?.head).toMatchObject({ recorded: 4, dropped: { outbox_full: 3 } })
  })

  test('for a reason without a code is outbox_unavailable', async () => {
    const { tail, outbox, failed } = setUp()
    tail.attach(outbox)
    const cause = new DOMException('Gone', 'InvalidStateError')
    outbox.before = () => {
      throw cause
    }
    const [lost] = add(tail, 1)
    const error = await failure(() => lost?.group.durable)
    expect(error).toMatchObject({ code: 'outbox_unavailable', cause })
    expect(error.message).toContain('InvalidStateError')
    expect(failed[0]).toEqual(['outbox_unavailable', 1])
  })
})

describe('receipts', () => {
  test('nobody looks: no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    outbox.before = () => {
      throw new Error('full')
    }
    const [taken] = add(tail, 1)
    new TakenReceipt(STREAM, 0, taken?.group as Group)
    new RefusalReceipt(new MetertapError('not_json', 'No.'))
    await settle()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('the promise can be asked for before and after, and is one', async () => {
    const { tail, outbox } = setUp()
    tail.attach(outbox)
    const [early, late] = add(tail, 2)
    const receipt = new TakenReceipt(STREAM, 1, late?.group as Group)
    const promise = early?.group.durable
    await tail.settled()
    expect(receipt.id).toBe(`${STREAM}-1`)
    expect(receipt.error).toBeUndefined()
    expect(receipt.durable).toBe(promise)
    expect(await receipt.durable).toBe('process')
  })

  test('a refused one rejects with its error', async () => {
    const error = new MetertapError('not_json', 'No.')
    const receipt = new RefusalReceipt(error)
    expect([receipt.id, receipt.error]).toEqual([undefined, error])
    await expect(receipt.durable).rejects.toBe(error)
  })
})

describe('tail: a stream that several share', () => {
  test('numbers without a clash, tells the whole in each head, and counts its own', async () => {
    const book = new StreamBook({ newStreamId: () => STREAM, now: () => 1_000 })
    const [one, two] = [setUp({ book }), setUp({ book })]
    one.tail.attach(one.outbox)
    two.tail.attach(two.outbox)
    const numbers = [one, two, one].map(({ tail }) => add(tail, 1)[0]?.seq)
    expect(numbers).toEqual([0, 1, 2])
    two.tail.refuse('invalid_data')
    await Promise.all([one.tail.settled(), two.tail.settled()])
    const runs = one.outbox.groups[0]?.segments.map(({ first, count }) => [first, count])
    expect(runs).toEqual([
      [0, 1],
      [2, 1],
    ])
    expect(two.outbox.groups[0]?.segments.map(({ first }) => first)).toEqual([1])
    expect(two.outbox.groups[0]?.head).toMatchObject({ recorded: 3, refused: { invalid_data: 1 } })
    expect([one.tail.recorded, two.tail.recorded]).toEqual([2, 1])
    expect(one.tail.refused).toEqual({})
  })

  test('declares what one of them gave up in the next head of any', async () => {
    const book = new StreamBook({ newStreamId: () => STREAM, now: () => 1_000 })
    const [one, two] = [setUp({ book }), setUp({ book })]
    one.tail.attach(one.outbox)
    two.tail.attach(two.outbox)
    one.outbox.before = () => {
      throw new MetertapError('outbox_full', 'Full.')
    }
    add(one.tail, 3)
    await one.tail.settled()
    add(two.tail, 1)
    await two.tail.settled()
    expect(two.outbox.groups.at(-1)?.head).toMatchObject({ recorded: 4, dropped: { outbox_full: 3 } })
  })
})
