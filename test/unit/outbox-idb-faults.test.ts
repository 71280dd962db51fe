import 'fake-indexeddb/auto'
import { forceCloseDatabase } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { quarantineIn } from '../../src/outbox/core/quarantine.ts'
import type { IdbOutboxDeps } from '../../src/outbox/idb/home.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { memoryRows, memoryTables } from '../../src/outbox/memory/tables.ts'
import { resilientOutbox } from '../../src/outbox/resilient/open.ts'
import {
  CLAIM_ALL,
  claimOf,
  events,
  numbersOf,
  received,
  rejecting,
  waitingByEquation,
} from '../contract/outbox-kit.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { fillStorage } from '../support/full-storage.ts'
import { rawIdb } from '../support/raw-idb.ts'
import { eventText, streamId, UsageOwner } from '../support/usage-owner.ts'

let name = ''
let tests = 0
const outboxes: Outbox[] = []

const { factory, opened, countIn } = rawIdb()

async function openOutbox(deps: Partial<IdbOutboxDeps> = {}): Promise<Outbox> {
  const random = () => crypto.randomUUID()
  const outbox = await openIdbOutbox({ name, indexedDB: factory, random, clock: () => CLAIM_ALL.nowMs, ...deps })
  outboxes.push(outbox)
  return outbox
}

/** Other code of this origin at work in the database. */
function tamper(store: string, work: (rows: IDBObjectStore) => void): Promise<void> {
  const transaction = (opened[0] as IDBDatabase).transaction(store, 'readwrite')
  work(transaction.objectStore(store))
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () => reject(transaction.error))
  })
}

const owner = (nth = 1, tag = 'acme') => new UsageOwner(streamId(nth), tag)

beforeEach(() => {
  name = `faults-${++tests}`
})

afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(outboxes.splice(0).map((outbox) => outbox.close()))
  opened.length = 0
})

describe('rows of other code', () => {
  test('in segments are set aside whatever their keys and fields, and the good ones are delivered', async () => {
    const outbox = await openOutbox()
    const [one, other] = [owner(2), owner(1, 'globex')]
    await outbox.append(other.group(events(3), { perSegment: 1 }))
    await outbox.append(one.group(events(4), { perSegment: 2 }))
    const rows = [
      { stream: 7, first: 0 },
      { stream: new Date(0), first: 0, count: 1, bytes: 1, body: '[]' },
      { stream: [[1]], first: 1 },
      { stream: one.stream, first: 'x', count: 1 },
      { stream: one.stream, first: -1, count: 1, bytes: 1, body: '["m",1,1]' },
      { stream: one.stream, first: 1.5, count: 1, bytes: 1, body: '["m",1,1]' },
      { stream: other.stream, first: 'y' },
      { stream: other.stream, first: Number.POSITIVE_INFINITY },
      { stream: one.stream, first: 9, count: 2, bytes: Number.NaN, body: '' },
    ]
    await tamper('segments', (store) => {
      for (const row of rows) store.put(row)
    })
    const claim = await claimOf(outbox)
    expect(numbersOf(claim)).toEqual(['2:0+2', '2:2+2'])
    const found = await outbox.quarantined()
    expect(found.map(({ row }) => row)).toEqual(expect.arrayContaining(rows))
    expect(found).toHaveLength(rows.length)
    expect(new Set(found.map(({ reason }) => reason))).toEqual(new Set(['fields']))
    expect(numbersOf(await claimOf(outbox, { accountTag: 'globex' }))).toEqual(['1:0+1', '1:1+1', '1:2+1'])
    expect(await outbox.settle(received(claim))).toMatchObject({ received: 4 })
    expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
  })

  test('that claim a stream’s numbers count no more of them than were given out and are not held by others', async () => {
    const outbox = await openOutbox()
    const one = owner()
    await outbox.append(one.group(events(6), { perSegment: 3 }))
    await tamper('segments', (store) => {
      store.put({ stream: one.stream, first: 0, count: 1e9, bytes: 1, body: 'x' })
    })
    const claim = await claimOf(outbox)
    expect(numbersOf(claim)).toEqual(['1:3+3'])
    await outbox.settle(received(claim))
    expect(await outbox.streams()).toMatchObject([{ recorded: 6, settled: 3, dropped: { corrupt: 3 } }])
    expect(await waitingByEquation(outbox)).toBe(0)
  })

  test('without a head are nobody’s: set aside', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner(1).group(events(1)))
    await outbox.append(owner(2).group(events(2), { perSegment: 1 }))
    await tamper('streams', (store) => store.delete(streamId(1)))
    expect(numbersOf(await claimOf(outbox))).toEqual(['2:0+1', '2:1+1'])
    expect(await outbox.quarantined()).toMatchObject([{ store: 'segments', reason: 'no_head', row: { first: 0 } }])
  })

  test.each([
    ['streams', { stream: streamId(9), recorded: 'many' }],
    ['streams', { stream: 5 }],
    ['progress', { stream: streamId(1), gone: 'all', settled: 3 }],
    ['hidden', { stream: streamId(1), first: 0, visibleAtMs: 'never' }],
  ])('in %s neither break nor hide anything', async (store, row) => {
    const outbox = await openOutbox()
    await outbox.append(owner(1).group(events(2)))
    await tamper(store, (rows) => rows.put(row))
    expect(await outbox.totals()).toMatchObject({ events: 2 })
    const claim = await claimOf(outbox)
    expect(numbersOf(claim)).toEqual(['1:0+2'])
    expect(await outbox.quarantined()).toEqual([{ store, reason: 'fields', row, foundAtMs: CLAIM_ALL.nowMs }])
    await outbox.settle(received(claim))
    expect(await waitingByEquation(outbox)).toBe(0)
  })

  test('among the roll-ups are set aside when roll-ups are closed', async () => {
    const outbox = await openOutbox()
    const one = owner()
    await outbox.append(one.rollup(eventText('sum'), 5_000))
    await outbox.append(one.rollup(eventText('broken'), 5_000))
    await tamper('rollups', (store) => {
      store.put({ stream: one.stream, seq: 1, accountTag: 'acme', event: '["m",', closesAtMs: 5_000 })
    })
    expect(await outbox.openRollups()).toHaveLength(1)
    expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(1)
    expect(await outbox.quarantined()).toMatchObject([{ store: 'rollups', reason: 'not_json' }])
    expect(await outbox.streams()).toMatchObject([{ recorded: 2, dropped: { corrupt: 1 } }])
    expect(await outbox.settle(received(await claimOf(outbox)))).toMatchObject({ received: 1 })
    expect(await waitingByEquation(outbox)).toBe(0)
  })

  test('that there is no room to move do not stop delivery, and are moved later', async () => {
    const outbox = await openOutbox()
    const one = owner()
    await outbox.append(one.group(events(4), { perSegment: 2 }))
    await tamper('segments', (store) => {
      store.put({ stream: one.stream, first: 0, count: 2, bytes: 5, body: '["m",' })
    })
    const giveRoom = fillStorage('add')
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:2+2'])
    expect(await outbox.quarantined()).toEqual([])
    giveRoom()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:2+2'])
    expect(await outbox.quarantined()).toHaveLength(1)
  })

  test('do not stop a settlement or a purge, and are not lost by them', async () => {
    const outbox = await openOutbox()
    const one = owner()
    await outbox.append(one.group(events(6), { perSegment: 3 }))
    const claim = await claimOf(outbox)
    const rows = [
      { stream: one.stream, first: 1 },
      { stream: one.stream, first: 9, count: 'two' },
    ]
    await tamper('segments', (store) => {
      for (const row of rows) store.put(row)
    })
    const settled = await outbox.settle({ ...received(claim), received: { [one.stream]: [[0, 1]] } })
    expect(settled).toMatchObject({ received: 2 })
    expect(await outbox.purge({ reason: 'consent' })).toBe(4)
    expect(await outbox.totals()).toMatchObject({ events: 0, bytes: 0 })
    await outbox.claim(CLAIM_ALL)
    expect((await outbox.quarantined()).map(({ row }) => row)).toEqual(rows)
  })

  test('in great number are met a hundred at a time', async () => {
    const outbox = await openOutbox()
    const group = owner().group(events(250), { perSegment: 1 })
    await outbox.append({ ...group, segments: group.segments.map((segment) => ({ ...segment, body: '[' })) })
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await outbox.claim(CLAIM_ALL)
    expect(transaction.mock.calls.filter(([, mode]) => mode === 'readwrite')).toHaveLength(3)
    expect(await outbox.quarantined()).toHaveLength(250)
  })

  test('found by two tabs at once are counted once', async () => {
    const [one, two] = [await openOutbox(), await openOutbox()]
    const group = owner().group(events(2))
    await one.append({ ...group, segments: group.segments.map((segment) => ({ ...segment, body: '[' })) })
    await Promise.all([one.claim(CLAIM_ALL), two.claim(CLAIM_ALL)])
    expect(await one.quarantined()).toHaveLength(1)
    expect(await one.streams()).toMatchObject([{ dropped: { corrupt: 2 } }])
  })
})

test('dead letters of a forgotten stream can be retried', async () => {
  const outbox = await openOutbox()
  const one = owner()
  await outbox.append(one.group(events(4)))
  await outbox.settle({ ...rejecting(await claimOf(outbox), 1, 3), received: { [one.stream]: [[0, 3]] } })
  await tamper('streams', (store) => store.delete(one.stream))
  await tamper('progress', (store) => store.delete(one.stream))
  expect(await outbox.retryDeadLetters([{ stream: one.stream, seq: 3 }])).toBe(1)
  const claim = await claimOf(outbox)
  expect(claim.segments.map(({ body }) => body)).toEqual([one.texts[3]])
  expect(await outbox.totals()).toMatchObject({ events: 1, deadLetters: 1 })
  await outbox.settle(received(claim))
  expect(await outbox.retryDeadLetters([{ stream: one.stream, seq: 1 }])).toBe(1)
  expect(numbersOf(await claimOf(outbox))).toEqual(['1:1+1'])
})

test('a row that was mended or moved meanwhile is left alone', async () => {
  const rows = memoryRows()
  const tables = memoryTables(rows)
  const group = owner().group(events(2), { perSegment: 1 })
  const strays = group.segments.map((row) => ({ store: 'segments' as const, reason: 'not_json' as const, row }))
  tables.putHead(group.head)
  for (const segment of group.segments) tables.putSegment(segment)
  await quarantineIn(tables, strays, 1)
  expect(rows.quarantined).toEqual([])
  for (const segment of group.segments) tables.putSegment({ ...segment, body: '[' })
  await quarantineIn(tables, strays, 2)
  await quarantineIn(tables, strays, 3)
  expect(rows.quarantined).toMatchObject([{ foundAtMs: 2 }, { foundAtMs: 2 }])
})

test('room is made without leaving old leases behind', async () => {
  const outbox = await openOutbox()
  await outbox.append(owner().group(events(2)))
  await claimOf(outbox, { leaseMs: 1 })
  await outbox.dropOldest({ bytes: 1, reason: 'budget', nowMs: CLAIM_ALL.nowMs + 1 })
  expect(await countIn('hidden')).toBe(0)
})

test('an append that fails half way has stored nothing', async () => {
  const outbox = await openOutbox()
  const put = IDBObjectStore.prototype.put
  let calls = 0
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, row: unknown) {
    if (++calls === 2) throw new DOMException('full', 'QuotaExceededError')
    return put.call(this, row)
  })
  const failing = outbox.append(owner().group(events(2), { perSegment: 1 }))
  await expect(failing).rejects.toMatchObject({ code: 'outbox_full' })
  vi.restoreAllMocks()
  expect(await countIn('segments')).toBe(0)
})

describe('opening', () => {
  test('that is never answered is given up after 10 seconds, and closed if it comes late', async () => {
    const clock = fakeClock()
    const request = Object.assign(new EventTarget(), { error: null, result: { close: vi.fn() } })
    const silent = { open: () => request } as unknown as IDBFactory
    const opening = openOutbox({ indexedDB: silent, setTimer: clock.setTimer })
    const verdict = expect(opening).rejects.toMatchObject({ code: 'outbox_unavailable', message: /10 seconds/ })
    await clock.advance(9_999)
    let isOver = false
    opening.catch(() => {
      isOver = true
    })
    await clock.advance(0)
    expect(isOver).toBe(false)
    await clock.advance(1)
    await verdict
    request.dispatchEvent(new Event('success'))
    expect(request.result.close).toHaveBeenCalledTimes(1)
  })

  test('that is answered leaves no timer', async () => {
    const cancel = vi.fn()
    const setTimer = vi.fn(() => cancel)
    await openOutbox({ setTimer })
    expect(setTimer).toHaveBeenCalledTimes(1)
    expect(cancel).toHaveBeenCalledTimes(1)
  })

  /** A tab with an older version of the database, which it closes or not when it is told to. */
  async function olderTab(onVersionChange: (database: IDBDatabase) => void): Promise<IDBDatabase> {
    const request = indexedDB.open(name, 1)
    const database = await new Promise<IDBDatabase>((resolve) => {
      request.addEventListener('success', () => resolve(request.result))
    })
    database.addEventListener('versionchange', () => onVersionChange(database))
    return database
  }

  /** The factory of a release whose schema is newer than that of the open tab. */
  const newer = { open: (databaseName: string) => indexedDB.open(databaseName, 2) } as IDBFactory

  test('waits for an older tab that takes a moment to make way', async () => {
    let closing = () => {}
    await olderTab((database) => {
      closing = () => database.close()
    })
    const clock = fakeClock()
    const opening = openOutbox({ indexedDB: newer, setTimer: clock.setTimer })
    await vi.waitFor(() => expect(clock.pendingMs).toHaveLength(2), { timeout: 30_000 })
    await clock.advance(2_999)
    closing()
    const outbox = await opening
    expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
  })

  test('gives up on an older tab that keeps it', async () => {
    const older = await olderTab(() => {})
    const clock = fakeClock()
    const opening = openOutbox({ indexedDB: newer, setTimer: clock.setTimer })
    const verdict = expect(opening).rejects.toMatchObject({ code: 'outbox_unavailable', message: /another tab/ })
    await vi.waitFor(() => expect(clock.pendingMs).toHaveLength(2), { timeout: 30_000 })
    await clock.advance(3_000)
    await verdict
    older.close()
  })

  test('finds a newer version and says what to do', async () => {
    const request = indexedDB.open(name, 99)
    await new Promise((resolve) => request.addEventListener('success', resolve))
    request.result.close()
    await expect(openOutbox()).rejects.toMatchObject({ code: 'outbox_unavailable', message: /newer version.*reload/ })
  })
})

describe('a storage process that went away', () => {
  /** The next transactions fail like WebKit's do: some throw, some abort. */
  function breakTransactions(times: number, errorName: string): void {
    const spy = vi.spyOn(IDBDatabase.prototype, 'transaction')
    for (let nth = 0; nth < times; nth++) {
      spy.mockImplementationOnce(() => {
        throw new DOMException('Connection to Indexed Database server lost. Refresh the page to try again', errorName)
      })
    }
  }

  test.each(['UnknownError', 'InvalidStateError'])('for three tries (%s) is not noticed', async (errorName) => {
    const outbox = await openOutbox()
    breakTransactions(3, errorName)
    expect(await outbox.append(owner().group(events(2)))).toBe('process')
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+2'])
    expect(opened).toHaveLength(4)
  })

  test('for longer rejects after four tries', async () => {
    const outbox = await openOutbox()
    breakTransactions(5, 'UnknownError')
    const one = owner()
    await expect(outbox.append(one.group(events(2)))).rejects.toMatchObject({ code: 'outbox_unavailable' })
    expect(IDBDatabase.prototype.transaction).toHaveBeenCalledTimes(4)
  })

  test('for much longer costs a page nothing but durability', async () => {
    const onDegraded = vi.fn()
    const onRecovered = vi.fn()
    const outbox = resilientOutbox({ primary: await openOutbox(), onDegraded, onRecovered })
    const one = owner()
    await outbox.append(one.group(events(1)))
    breakTransactions(1_000, 'UnknownError')
    expect(await outbox.append(one.group(events(2)))).toBe('memory')
    expect(await outbox.append(one.group(events(3)))).toBe('memory')
    expect(onDegraded).toHaveBeenCalledTimes(1)
    const claim = await claimOf(outbox)
    expect(numbersOf(claim)).toEqual(['1:1+2', '1:3+3'])
    expect(await outbox.settle({ ...received(claim), received: { [one.stream]: [[1, 3]] } })).toMatchObject({
      received: 3,
    })
    vi.restoreAllMocks()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+1', '1:4+2'])
    expect(onRecovered).toHaveBeenCalledTimes(1)
    expect(await outbox.streams()).toMatchObject([{ recorded: 6, settled: 3 }])
    expect(await outbox.totals()).toMatchObject({ events: 3 })
  })

  test('between two groups, without room afterwards, holds what comes', async () => {
    const outbox = resilientOutbox({ primary: await openOutbox(), onDegraded: () => {}, onRecovered: () => {} })
    const one = owner()
    await outbox.append(one.group(events(1)))
    for (const database of opened.splice(0)) forceCloseDatabase(database as never)
    const giveRoom = fillStorage()
    expect(await outbox.append(one.group(events(1)))).toBe('memory')
    giveRoom()
    expect(await outbox.append(one.group(events(1)))).toBe('process')
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+1', '1:1+1', '1:2+1'])
  })
})

test('a group tried again never brings back an older sum, nor a closed window', async () => {
  const outbox = await openOutbox()
  const one = owner()
  vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementationOnce(function (this: IDBTransaction) {
    this.abort()
  })
  const appends = [one.rollup(eventText('a 1'), 5_000), one.rollup(eventText('b 1'), 5_000)].map(outbox.append)
  appends.push(outbox.append(one.rollup(eventText('a 2'), 5_000, 0)))
  await Promise.all(appends)
  vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementationOnce(function (this: IDBTransaction) {
    this.abort()
  })
  await Promise.all([
    outbox.append(one.rollup(eventText('b 2'), 5_000, 1)),
    outbox.append(one.close(1, eventText('b 3'))),
  ])
  expect((await outbox.openRollups()).map(({ seq }) => seq)).toEqual([0])
  await outbox.closeRollups({ streams: [one.stream] })
  expect((await claimOf(outbox)).segments.map(({ body }) => body)).toEqual([eventText('a 2'), eventText('b 3')])
})
