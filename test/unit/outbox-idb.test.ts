import 'fake-indexeddb/auto'
import { forceCloseDatabase } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Claim, Outbox } from '../../src/outbox/contract.ts'
import type { IdbOutboxDeps } from '../../src/outbox/idb/home.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { CLAIM_ALL, nothing, numbersOf, received } from '../contract/outbox.ts'
import { rejecting } from '../contract/outbox-kit.ts'
import { rawIdb } from '../support/raw-idb.ts'
import { eventText, streamId, UsageOwner } from '../support/usage-owner.ts'

const DAY_MS = 24 * 60 * 60 * 1000

let name = ''
let nowMs = CLAIM_ALL.nowMs
let tests = 0
const outboxes: Outbox[] = []

const { factory, opened, countIn } = rawIdb()

async function openOutbox(deps: Partial<IdbOutboxDeps> = {}): Promise<Outbox> {
  const random = () => crypto.randomUUID()
  const outbox = await openIdbOutbox({ name, indexedDB: factory, random, clock: () => nowMs, ...deps })
  outboxes.push(outbox)
  return outbox
}

const owner = (nth = 1) => new UsageOwner(streamId(nth), 'acme')
const events = (count: number) => Array.from({ length: count }, (_, index) => eventText(`e${index}`))

async function settleAll(outbox: Outbox): Promise<void> {
  const claim = await outbox.claim({ ...CLAIM_ALL, nowMs })
  if (claim) await outbox.settle(received(claim, nowMs))
}

/** Counts what is read of segments from now on. */
function countSegmentReads(): { readonly requests: () => number; readonly rows: () => number } {
  const reads = vi.spyOn(IDBObjectStore.prototype, 'getAll')
  const answers = (): unknown[][] =>
    reads.mock.results
      .filter((_, call) => (reads.mock.contexts[call] as IDBObjectStore).name === 'segments')
      .map(({ value }) => (value as IDBRequest<unknown[]>).result)
  return { requests: () => answers().length, rows: () => answers().flat().length }
}

/** Breaks every open connection as a browser does whose storage goes away. */
function breakConnections(): void {
  for (const database of opened.splice(0)) forceCloseDatabase(database as never)
}

beforeEach(() => {
  name = `idb-${++tests}`
  nowMs = CLAIM_ALL.nowMs
})

afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(outboxes.splice(0).map((outbox) => outbox.close()))
  opened.length = 0
})

describe('append', () => {
  test('is one transaction, committed before the call returns', async () => {
    const outbox = await openOutbox()
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    const put = vi.spyOn(IDBObjectStore.prototype, 'put')
    const commit = vi.spyOn(IDBTransaction.prototype, 'commit')
    const stored = outbox.append(owner().group(events(4), { perSegment: 2 }))
    expect(transaction.mock.calls).toEqual([[['segments', 'streams'], 'readwrite', { durability: 'relaxed' }]])
    expect(put).toHaveBeenCalledTimes(3)
    expect(commit).toHaveBeenCalledTimes(1)
    await stored
    expect(transaction).toHaveBeenCalledTimes(1)
  })

  test('of a strict group asks for strict durability', async () => {
    const outbox = await openOutbox()
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await outbox.append(owner().group(events(1), { strict: true }))
    expect(transaction.mock.calls).toEqual([[['segments', 'streams'], 'readwrite', { durability: 'strict' }]])
  })

  test('resolves when the transaction is complete, not before', async () => {
    const outbox = await openOutbox()
    const seen: string[] = []
    const original = IDBDatabase.prototype.transaction
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(function (this: IDBDatabase, ...args) {
      const transaction = original.apply(this, args)
      transaction.addEventListener('complete', () => seen.push('complete'))
      return transaction
    })
    await outbox.append(owner().group(events(1))).then(() => seen.push('resolved'))
    expect(seen).toEqual(['complete', 'resolved'])
  })

  test('without room rejects with outbox_full and has stored nothing', async () => {
    const outbox = await openOutbox()
    vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementationOnce(function (this: IDBTransaction) {
      ;(this as unknown as { _abort(name: string): void })._abort('QuotaExceededError')
    })
    const one = owner()
    const group = one.group(events(2))
    await expect(outbox.append(group)).rejects.toMatchObject({ name: 'MetertapError', code: 'outbox_full' })
    expect(await outbox.streams()).toEqual([])
    expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
    await outbox.append({ ...one.group(events(1)), segments: group.segments })
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+2'])
  })
})

describe('reading', () => {
  test('a claim without a lease writes nothing', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner().group(events(1)))
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await outbox.claim(CLAIM_ALL)
    await outbox.claim({ ...CLAIM_ALL, leaseMs: 1_000 })
    expect(transaction.mock.calls.map(([, mode]) => mode)).toEqual(['readonly', 'readwrite'])
  })

  test('a claim reads one segment more than it returns, at most, and a lease writes no body', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner().group(events(100), { perSegment: 1 }))
    const reads = countSegmentReads()
    const puts = vi.spyOn(IDBObjectStore.prototype, 'put')
    const claim = await outbox.claim({ ...CLAIM_ALL, maxEvents: 10, leaseMs: 1_000 })
    expect(claim?.segments).toHaveLength(10)
    expect(reads.rows()).toBeLessThanOrEqual(22)
    expect(reads.requests()).toBe(3)
    expect(puts.mock.contexts.map((store) => (store as IDBObjectStore).name)).toEqual(Array(10).fill('hidden'))
  })

  test('a large hidden backlog is not read', async () => {
    const outbox = await openOutbox()
    const one = owner()
    await outbox.append(one.group(events(398), { perSegment: 2 }))
    await outbox.append(one.group(events(1)))
    const claim = await outbox.claim(CLAIM_ALL)
    if (!claim) throw new Error('nothing to claim')
    const deferred = [{ stream: one.stream, from: 0, to: 397, delayMs: 60_000 }]
    await outbox.settle({ ...nothing(claim), deferred })
    const reads = countSegmentReads()
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:398+1'])
    expect(reads.requests()).toBe(2)
    expect(await countIn('hidden')).toBe(199)
    expect(reads.rows()).toBe(1)
  })

  test('a backlog of another account is stepped over', async () => {
    const outbox = await openOutbox()
    await outbox.append(new UsageOwner(streamId(1), 'globex').group(events(100), { perSegment: 1 }))
    await outbox.append(owner(2).group(events(1)))
    const reads = countSegmentReads()
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['2:0+1'])
    expect(reads.rows()).toBe(3)
  })

  test('totals never touch a segment', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner().group(events(10), { perSegment: 1 }))
    const reads = (['get', 'getAll', 'getKey', 'getAllKeys', 'count', 'openCursor', 'openKeyCursor'] as const).map(
      (method) => vi.spyOn(IDBObjectStore.prototype, method),
    )
    expect((await outbox.totals()).events).toBe(10)
    const stores = reads.flatMap((spy) => spy.mock.contexts.map((store) => (store as IDBObjectStore).name))
    expect(stores.sort()).toEqual(['dead', 'progress', 'streams'])
  })

  test('a settlement repeated writes no progress', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner().group(events(6), { perSegment: 3 }))
    const claim = await outbox.claim(CLAIM_ALL)
    if (!claim) throw new Error('nothing to claim')
    await outbox.settle(received(claim))
    const puts = vi.spyOn(IDBObjectStore.prototype, 'put')
    await outbox.settle(received(claim, CLAIM_ALL.nowMs + DAY_MS))
    expect(puts).not.toHaveBeenCalled()
  })

  test('a claim that is received whole is settled without reading it again', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner().group(events(50), { perSegment: 1 }))
    const claim = await outbox.claim(CLAIM_ALL)
    if (!claim) throw new Error('nothing to claim')
    const deletes = vi.spyOn(IDBObjectStore.prototype, 'delete')
    await outbox.settle(received(claim))
    expect(deletes.mock.contexts.map((store) => (store as IDBObjectStore).name).sort()).toEqual(['hidden', 'segments'])
    expect(await countIn('segments')).toBe(0)
  })
})

describe('a page that sends itself', () => {
  /** Its outbox, which has claimed before, and what it has stored since. */
  async function sending(count = 12) {
    const outbox = await openOutbox()
    await outbox.claim(CLAIM_ALL)
    const one = owner()
    await outbox.append(one.group(events(count), { perSegment: 3 }))
    return { outbox, one, reads: countSegmentReads() }
  }
  const sent = (claim: Claim | undefined) => claim?.segments.map(({ body }) => body).join()

  test('does not read what it has just stored, and sends it byte for byte', async () => {
    const { outbox, one, reads } = await sending()
    const claim = await outbox.claim({ ...CLAIM_ALL, maxEvents: 7 })
    const { leaseMs: _, ...next } = CLAIM_ALL
    const settled = await outbox.settle({ ...received(claim as Claim), next })
    expect([numbersOf(claim), numbersOf(settled.next)]).toEqual([
      ['1:0+3', '1:3+3'],
      ['1:6+3', '1:9+3'],
    ])
    expect([sent(claim), sent(settled.next)].join()).toBe(one.texts.join())
    expect(reads.requests()).toBe(0)
  })

  test('reads it after a relay found fault with it', async () => {
    const { outbox, reads } = await sending()
    expect(numbersOf(await outbox.claim({ ...CLAIM_ALL, verify: true }))).toHaveLength(4)
    expect(reads.rows()).toBe(4)
  })

  test('sends nothing that another page has purged', async () => {
    const { outbox } = await sending()
    const other = await openOutbox()
    expect(await other.purge({ reason: 'purged' })).toBe(12)
    expect((await outbox.claim(CLAIM_ALL))?.segments).toEqual([])
    expect(await outbox.streams()).toMatchObject([{ recorded: 12, dropped: { purged: 12 } }])
  })

  test('reads what another page has settled in part, cut or not, and claims no number twice', async () => {
    const { outbox, one } = await sending()
    const other = await openOutbox()
    const { stream } = one
    const claim = (await other.claim(CLAIM_ALL)) as Claim
    const parts = { received: { [stream]: [[1, 2]] as [number, number][] }, nowMs }
    const deferred = [{ stream, from: 3, to: 4, delayMs: 1_000 }]
    await other.settle({ ...nothing(claim), ...parts, deferred })
    nowMs += 2_000
    expect(numbersOf(await outbox.claim({ ...CLAIM_ALL, nowMs }))).toEqual([
      '1:0+1',
      '1:3+2',
      '1:5+1',
      '1:6+3',
      '1:9+3',
    ])
  })

  test('claims no number twice of what another page has put off in part', async () => {
    const { outbox, one } = await sending(6)
    const other = await openOutbox()
    const { stream } = one
    const deferred = [{ stream, from: 0, to: 1, delayMs: 1_000 }]
    await other.settle({ ...nothing((await other.claim(CLAIM_ALL)) as Claim), deferred })
    nowMs += 2_000
    expect(numbersOf(await outbox.claim({ ...CLAIM_ALL, nowMs }))).toEqual(['1:0+2', '1:2+1', '1:3+3'])
  })

  test('cuts no wait short that another page was told for the end of a segment', async () => {
    const { outbox, one } = await sending(6)
    const other = await openOutbox()
    const { stream } = one
    const deferred = [{ stream, from: 1, to: 2, delayMs: 1_000 }]
    await other.settle({ ...nothing((await other.claim(CLAIM_ALL)) as Claim), deferred })
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+1', '1:3+3'])
  })

  test('reads a dead letter that another page has moved back, not the segment that held it', async () => {
    const { outbox, one } = await sending(3)
    const other = await openOutbox()
    const { stream } = one
    const claim = (await other.claim(CLAIM_ALL)) as Claim
    await other.settle(rejecting(claim, 0))
    await other.purge({ reason: 'purged' })
    await other.retryDeadLetters([{ stream, seq: 0 }])
    const again = await outbox.claim(CLAIM_ALL)
    expect([numbersOf(again), sent(again)]).toEqual([['1:0+1'], one.texts[0]])
  })

  test('keeps no more of it in memory than a mebibyte', async () => {
    const { outbox, reads } = await sending(0)
    const one = owner(2)
    const text = eventText('x'.repeat(60_000))
    await outbox.append(one.group(Array(40).fill(text), { perSegment: 1 }))
    expect(sent(await outbox.claim(CLAIM_ALL))).toBe(one.texts.join())
    expect(reads.rows()).toBeGreaterThan(20)
    expect(reads.rows()).toBeLessThan(40)
  })

  test('reads the rest when there are more segments than it looks at together', async () => {
    const { outbox } = await sending(0)
    const one = owner(2)
    await outbox.append(one.group(events(150), { perSegment: 1 }))
    const claim = await outbox.claim(CLAIM_ALL)
    expect(claim?.segments.map(({ first }) => first)).toEqual(Array.from({ length: 150 }, (_, seq) => seq))
  })

  test('that does not send keeps nothing', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner().group(events(4), { perSegment: 1 }))
    const reads = countSegmentReads()
    await outbox.claim(CLAIM_ALL)
    expect(reads.rows()).toBe(4)
  })
})

describe('tabs', () => {
  test('share one outbox and one device id', async () => {
    const [one, two] = [await openOutbox(), await openOutbox()]
    await one.append(owner(1).group(events(2)))
    await two.append(owner(2).group(events(3)))
    expect(numbersOf(await one.claim(CLAIM_ALL))).toEqual(['1:0+2', '2:0+3'])
    await settleAll(two)
    expect(await one.claim(CLAIM_ALL)).toBeUndefined()
    expect(await one.deviceId()).toBe(await two.deviceId())
  })

  test('make way for a tab that upgrades, and say what to do then', async () => {
    const onBroken = vi.fn()
    const outbox = await openOutbox({ onBroken })
    await outbox.append(owner().group(events(1)))
    const upgraded = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 99)
      request.addEventListener('success', () => resolve(request.result))
      request.addEventListener('blocked', () => reject(new Error('blocked')))
    })
    const failing = outbox.append(owner().group(events(1)))
    await expect(failing).rejects.toMatchObject({ code: 'outbox_unavailable', message: /newer version/ })
    expect(onBroken).toHaveBeenCalledTimes(1)
    upgraded.close()
  })

  test('survive the deletion of the database: the next call makes it anew', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner(1).group(events(1)))
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name)
      request.addEventListener('success', resolve)
      request.addEventListener('blocked', () => reject(new Error('blocked')))
    })
    await outbox.append(owner(2).group(events(1)))
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['2:0+1'])
  })
})

describe('a lost connection', () => {
  test('is opened again, and calls keep their order', async () => {
    const outbox = await openOutbox()
    const one = owner()
    await outbox.append(one.group(events(1)))
    breakConnections()
    const finished: number[] = []
    const calls = [1, 2, 3].map((nth) => outbox.append(one.group(events(nth))).then(() => finished.push(nth)))
    await Promise.resolve()
    calls.push(outbox.append(one.group(events(4))).then(() => finished.push(4)))
    await Promise.all(calls)
    expect(finished).toEqual([1, 2, 3, 4])
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+1', '1:1+1', '1:2+2', '1:4+3', '1:7+4'])
    expect(opened).toHaveLength(1)
  })

  test('is not tried again once the browser has told that it is gone', async () => {
    const outbox = await openOutbox()
    breakConnections()
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await outbox.append(owner().group(events(1)))
    expect(transaction.mock.contexts).toEqual(opened)
  })

  test('in the middle of an append is tried once more, and the head does not go back', async () => {
    const outbox = await openOutbox()
    const one = owner()
    vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementationOnce(function (this: IDBTransaction) {
      this.abort()
    })
    const [first, second] = [outbox.append(one.group(events(2))), outbox.append(one.group(events(3)))]
    expect(await Promise.all([first, second])).toEqual(['process', 'process'])
    expect(await outbox.streams()).toMatchObject([{ recorded: 5 }])
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+2', '1:2+3'])
  })

  test('that stays lost rejects readably, tells onBroken, and heals later', async () => {
    let blocked = false
    const onBroken = vi.fn()
    const guarded = {
      open: (databaseName: string, version?: number) => {
        if (blocked) throw new DOMException('denied', 'SecurityError')
        return factory.open(databaseName, version)
      },
    } as IDBFactory
    const outbox = await openOutbox({ indexedDB: guarded, onBroken })
    breakConnections()
    blocked = true
    const one = owner()
    const group = one.group(events(1))
    await expect(outbox.append(group)).rejects.toMatchObject({ code: 'outbox_unavailable', message: /may not use/ })
    expect(onBroken).toHaveBeenCalledTimes(1)
    blocked = false
    await outbox.append(group)
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+1'])
  })

  test('while it is closed rejects with closed', async () => {
    const outbox = await openOutbox()
    breakConnections()
    const late = outbox.append(owner().group(events(1)))
    await outbox.close()
    await expect(late).rejects.toMatchObject({ code: 'closed' })
  })
})

test('an error inside a transaction undoes it and comes through', async () => {
  const random = vi.fn(() => 'device-1')
  const outbox = await openOutbox({ random })
  random.mockImplementationOnce(() => {
    throw new TypeError('no randomness')
  })
  await expect(outbox.deviceId()).rejects.toThrow(TypeError)
  expect(await outbox.deviceId()).toBe('device-1')
})

describe('opening', () => {
  const failing = (event: string, error?: DOMException) => {
    const request = Object.assign(new EventTarget(), { error, result: { close: vi.fn() } })
    queueMicrotask(() => request.dispatchEvent(new Event(event)))
    return request
  }

  test('without IndexedDB rejects with outbox_unavailable', async () => {
    const opening = openOutbox({ indexedDB: undefined })
    await expect(opening).rejects.toMatchObject({ name: 'MetertapError', code: 'outbox_unavailable' })
  })

  test('that fails names the cause', async () => {
    const request = failing('error', new DOMException('internal', 'UnknownError'))
    const opening = openOutbox({ indexedDB: { open: () => request } as unknown as IDBFactory })
    await expect(opening).rejects.toMatchObject({ code: 'outbox_unavailable', detail: { cause: 'UnknownError' } })
  })

  test('blocked by an older tab rejects, and a late success is closed again', async () => {
    const request = failing('blocked')
    const opening = openOutbox({ indexedDB: { open: () => request } as unknown as IDBFactory })
    await expect(opening).rejects.toMatchObject({ code: 'outbox_unavailable', message: /another tab/ })
    request.dispatchEvent(new Event('success'))
    expect(request.result.close).toHaveBeenCalledTimes(1)
  })
})

describe('finished streams', () => {
  test('are forgotten a week after they were settled and reported', async () => {
    const outbox = await openOutbox()
    await outbox.append(owner(1).group(events(2)))
    await settleAll(outbox)
    nowMs += 7 * DAY_MS
    await outbox.append(owner(2).group(events(1)))
    await settleAll(outbox)
    expect(await countIn('streams')).toBe(2)
    nowMs += 1
    await outbox.append(owner(3).group(events(1)))
    await settleAll(outbox)
    expect((await outbox.streams()).map(({ stream }) => stream)).toEqual([streamId(2), streamId(3)])
    expect(await countIn('progress')).toBe(2)
  })

  test('stay while something of them waits, is unreported, died or was dropped', async () => {
    const outbox = await openOutbox()
    const [waits, unreported, died, dropped] = [owner(1), owner(2), owner(3), owner(4)]
    await outbox.append(unreported.group(events(1)))
    await settleAll(outbox)
    await outbox.append(unreported.refuse('not_json'))
    await outbox.append(died.group(events(1)))
    const claim = await outbox.claim(CLAIM_ALL)
    if (!claim) throw new Error('nothing to claim')
    const rejected = [{ stream: died.stream, seq: 0, code: 'invalid_data', detail: 'No.' }]
    await outbox.settle({
      ...nothing(claim),
      claim: { ...claim, reports: claim.reports.filter(({ id }) => id !== unreported.stream) },
      rejected,
    })
    await outbox.append(waits.group(events(2)))
    await outbox.append(dropped.drop('outbox_full', 1))
    nowMs += 30 * DAY_MS
    const empty = { segments: [], reports: [], more: false }
    await outbox.settle(received(empty, nowMs))
    expect(await countIn('streams')).toBe(4)
  })

  test('stay while a segment that was appended twice waits', async () => {
    const outbox = await openOutbox()
    const group = owner(1).group(events(2))
    await outbox.append(group)
    await settleAll(outbox)
    await outbox.append(group)
    nowMs += 8 * DAY_MS
    const empty = { segments: [], reports: [], more: false }
    await outbox.settle(received(empty, nowMs))
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+2'])
  })

  test('come back unharmed when their owner records again', async () => {
    const [idle, busy] = [await openOutbox(), await openOutbox()]
    const one = owner(1)
    await idle.append(one.group(events(3)))
    const settledBytes = one.head.bytes
    await settleAll(busy)
    nowMs += 8 * DAY_MS
    await busy.append(owner(2).group(events(1)))
    await settleAll(busy)
    expect((await busy.streams()).map(({ stream }) => stream)).toEqual([streamId(2)])
    await idle.append(one.group(events(2)))
    expect(await idle.streams()).toMatchObject([{ recorded: 5, settled: 3 }, {}])
    expect(await idle.totals()).toEqual({ events: 2, bytes: one.head.bytes - settledBytes, deadLetters: 0 })
    await settleAll(busy)
    expect(await busy.streams()).toMatchObject([{ recorded: 5, settled: 5 }, {}])
    expect(await busy.claim(CLAIM_ALL)).toBeUndefined()
  })

  test('are not mistaken for forgotten when their owner was merely idle', async () => {
    const outbox = await openOutbox()
    const one = owner(1)
    await outbox.append(one.group(events(3)))
    nowMs += 30 * DAY_MS
    await outbox.append(one.group(events(2)))
    expect(await outbox.totals()).toMatchObject({ events: 5 })
    expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual(['1:0+3', '1:3+2'])
  })
})
