import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { resilientOutbox } from '../../src/outbox/resilient/open.ts'
import { CLAIM_ALL, claimOf, events, numbersOf, received, waitingByEquation } from '../contract/outbox-kit.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

const outboxes: Outbox[] = []
let name = ''

const setTimer = (callback: () => void, delayMs: number) => {
  const timer = setTimeout(callback, delayMs)
  return () => clearTimeout(timer)
}

async function openOutbox(indexedDB: IDBFactory = globalThis.indexedDB): Promise<Outbox> {
  const random = () => crypto.randomUUID()
  const outbox = await openIdbOutbox({ name, indexedDB, random, clock: () => CLAIM_ALL.nowMs, setTimer })
  outboxes.push(outbox)
  return outbox
}

function openRaw(version?: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function done(request: IDBRequest | IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    request.addEventListener(request instanceof IDBTransaction ? 'complete' : 'success', () => resolve())
    request.addEventListener('error', () => reject(request.error))
  })
}

const owner = (nth = 1) => new UsageOwner(streamId(nth), 'acme')
/** A release to come: it opens the same database with a higher version. */
const newer = { open: (database: string) => indexedDB.open(database, 2) } as IDBFactory

beforeEach(() => {
  name = `faults-${crypto.randomUUID()}`
})

afterEach(async () => {
  await Promise.all(outboxes.splice(0).map((outbox) => outbox.close()))
  indexedDB.deleteDatabase(name)
})

test('rows of other code are set aside, their neighbours are delivered', async () => {
  const outbox = await openOutbox()
  const one = owner()
  await outbox.append(one.group(events(6), { perSegment: 2 }))
  const database = await openRaw()
  const transaction = database.transaction(['segments', 'hidden', 'progress'], 'readwrite')
  const rows = [
    { stream: 5, first: new Uint8Array([1]) },
    { stream: [['deep']], first: 1 },
    { stream: one.stream, first: 'x' },
    { stream: one.stream, first: Number.POSITIVE_INFINITY },
    { stream: one.stream, first: 2, count: 2, bytes: 9, body: '["api_calls",1' },
  ]
  for (const row of rows) transaction.objectStore('segments').put(row)
  transaction.objectStore('hidden').put({ stream: one.stream, first: 0, count: '2', visibleAtMs: 1e15 })
  transaction.objectStore('progress').put({ stream: one.stream, gone: 7 })
  await done(transaction)
  database.close()
  const claim = await claimOf(outbox)
  expect(numbersOf(claim)).toEqual(['1:0+2', '1:4+2'])
  expect(await outbox.quarantined()).toHaveLength(7)
  expect(await outbox.settle(received(claim))).toMatchObject({ received: 4 })
  expect(await outbox.streams()).toMatchObject([{ recorded: 6, settled: 4, dropped: { corrupt: 2 } }])
  expect(await waitingByEquation(outbox)).toBe(0)
})

test('a database that a newer release has upgraded says what to do', async () => {
  ;(await openRaw(3)).close()
  await expect(openOutbox()).rejects.toMatchObject({ code: 'outbox_unavailable', message: /newer version.*reload/ })
})

test('a tab that a newer release overtakes makes way, goes on in memory, and says so', async () => {
  const onDegraded = vi.fn()
  const outbox = resilientOutbox({ primary: await openOutbox(), onDegraded, onRecovered: () => {} })
  const one = owner()
  await outbox.append(one.group(events(1)))
  const upgraded = await openRaw(2)
  expect(await outbox.append(one.group(events(2)))).toBe('memory')
  expect(onDegraded.mock.calls).toMatchObject([[{ code: 'outbox_unavailable', message: /newer version/ }]])
  expect(numbersOf(await claimOf(outbox))).toEqual(['1:1+2'])
  upgraded.close()
})

test('an older tab that makes way late is waited for; one that does not is named', async () => {
  const older = await openRaw(1)
  const closing = new Promise<void>((resolve) => {
    older.onversionchange = () => setTimeout(() => resolve(older.close()), 500)
  })
  await openOutbox(newer)
  await closing
  await outboxes.pop()?.close()
  name = `${name}-kept`
  const kept = await openRaw(1)
  const start = performance.now()
  await expect(openOutbox(newer)).rejects.toMatchObject({ code: 'outbox_unavailable', message: /another tab/ })
  expect(performance.now() - start).toBeGreaterThan(2_900)
  kept.close()
})

test('a connection whose transactions fail three times running is opened anew each time', async () => {
  const outbox = await openOutbox()
  const spy = vi.spyOn(IDBDatabase.prototype, 'transaction')
  for (const errorName of ['UnknownError', 'InvalidStateError', 'UnknownError']) {
    spy.mockImplementationOnce(() => {
      throw new DOMException('Connection to Indexed Database server lost.', errorName)
    })
  }
  expect(await outbox.append(owner().group(events(2)))).toBe('process')
  spy.mockRestore()
  expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+2'])
})

test('a database that was deleted under an open tab is made anew', async () => {
  const outbox = await openOutbox()
  await outbox.append(owner(1).group(events(1)))
  await done(indexedDB.deleteDatabase(name))
  expect(await outbox.append(owner(2).group(events(1)))).toBe('process')
  expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['2:0+1'])
})
