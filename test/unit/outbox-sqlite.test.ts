import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { sealed } from '../../src/outbox/core/seal.ts'
import { openSqliteOutbox, type SqliteOutboxDeps } from '../../src/outbox/sqlite/open.ts'
import type { Sqlite } from '../../src/sqlite/contract.ts'
import { openNodeSqlite } from '../../src/sqlite/node.ts'
import { CLAIM_ALL, claimOf, events, NOW, numbersOf, received, waitingByEquation } from '../contract/outbox-kit.ts'
import { testFolder } from '../support/sqlite-home.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

let path: string
let db: Sqlite
let outbox: Outbox
let one: UsageOwner
const others: Outbox[] = []

function open(deps: Partial<SqliteOutboxDeps> = {}): Outbox {
  return openSqliteOutbox({ db, random: () => crypto.randomUUID(), clock: () => NOW, ...deps })
}

/** The same file as another process has it. */
function openElsewhere(deps: Partial<SqliteOutboxDeps> = {}): Outbox {
  const opened = open({ db: openNodeSqlite(path), ...deps })
  others.push(opened)
  return opened
}

/** Reads with a connection of its own: what is committed, and nothing else. */
function committed(sql: string): unknown[] {
  const reader = new DatabaseSync(path)
  try {
    return reader.prepare(sql).all()
  } finally {
    reader.close()
  }
}

const storedEvents = () => committed('SELECT sum(count) AS n FROM segments') as [{ n: number | null }]

beforeEach(() => {
  path = join(testFolder(), 'usage.db')
  db = openNodeSqlite(path)
  db.exec('PRAGMA journal_mode = WAL')
  outbox = open()
  one = new UsageOwner(streamId(1), 'acme')
})

afterEach(async () => {
  vi.restoreAllMocks()
  for (const each of [outbox, ...others.splice(0)]) await each.close()
})

describe('append', () => {
  test('has committed when the call returns', () => {
    void outbox.append(one.group(events(3)))
    expect(storedEvents()).toEqual([{ n: 3 }])
  })

  test('has committed when the call returns, also in the middle of another call, which then starts over', async () => {
    await outbox.append(one.group(events(4), { perSegment: 1 }))
    const claim = await claimOf(outbox)
    const stored: unknown[] = []
    for (let turn = 0; turn < 12; turn++) {
      const settling = outbox.settle(received(claim))
      for (let microtask = 0; microtask < turn; microtask++) await undefined
      void outbox.append(one.group(events(1)))
      stored.push(committed('SELECT count(*) AS n FROM segments WHERE first > 3')[0])
      await settling
    }
    expect(stored).toEqual(Array.from({ length: 12 }, (_, turn) => ({ n: turn + 1 })))
    expect(await outbox.streams()).toMatchObject([{ recorded: 16, settled: 4 }])
    expect((await outbox.totals()).events).toBe(12)
    expect(await waitingByEquation(outbox)).toBe(12)
  })

  test('waits for the calls before where the engine cannot interrupt one', async () => {
    const { interrupt: _, ...plain } = db
    const waiting = open({ db: plain })
    const claiming = waiting.claim(CLAIM_ALL)
    const appending = waiting.append(one.group(events(1)))
    expect(storedEvents()).toEqual([{ n: null }])
    expect(await claiming).toBeUndefined()
    expect(await appending).toBe('process')
    expect(storedEvents()).toEqual([{ n: 1 }])
  })

  test('says what its opener says that events survive, and syncs only what asked for it', async () => {
    const synced = vi.fn((transaction: () => unknown) => transaction()) as unknown as <T>(work: () => T) => T
    const edge = openElsewhere({ durability: { plain: 'power', strict: 'power' }, synced })
    expect(await edge.append(one.group(events(1)))).toBe('power')
    expect(synced).toHaveBeenCalledTimes(0)
    expect(await edge.append(one.group(events(1), { strict: true }))).toBe('power')
    expect(synced).toHaveBeenCalledTimes(1)
    expect(edge.durability).toBe('power')
  })

  test('keeps a segment with its seal, and one without as it is', async () => {
    const group = one.group(events(4), { perSegment: 2 })
    const segments = group.segments.map((segment, nth) => (nth === 0 ? sealed(segment) : segment))
    await outbox.append({ ...group, segments })
    expect((await claimOf(outbox)).segments).toStrictEqual(segments)
  })

  test('after a long sleep puts back the counts of its stream, which others have forgotten', async () => {
    await outbox.append(one.group(events(2)))
    await outbox.settle(received(await claimOf(outbox)))
    const other = openElsewhere()
    const two = new UsageOwner(streamId(2), 'acme')
    await other.append(two.group(events(1)))
    const later = NOW + 8 * 86_400_000
    await other.settle(received(await claimOf(other, { nowMs: later }), later))
    expect((await other.streams()).map(({ stream }) => stream)).toEqual([two.stream])
    await outbox.append(one.group(events(1)))
    expect(await outbox.streams()).toMatchObject([
      { stream: one.stream, recorded: 3, settled: 2 },
      { stream: two.stream, recorded: 1, settled: 1 },
    ])
  })
})

describe('several connections', () => {
  test('share what is stored, and each sees the other’s events', async () => {
    const other = openElsewhere()
    const two = new UsageOwner(streamId(2), 'acme')
    await outbox.append(one.group(events(2)))
    await other.append(two.group(events(3)))
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+2', '2:0+3'])
    await other.settle(received(await claimOf(other)))
    expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
    expect(await outbox.deviceId()).toBe(await other.deviceId())
  })

  test('a lease keeps the others away as long as its holder lives', async () => {
    const living = new Set(['a', 'b'])
    const holders = (own: string) => ({ own, isAlive: (holder: string) => living.has(holder) })
    const [a, b] = [openElsewhere({ holders: holders('a') }), openElsewhere({ holders: holders('b') })]
    await a.append(one.group(events(4), { perSegment: 2 }))
    const lease = { ...CLAIM_ALL, leaseMs: 60_000, maxEvents: 2 }
    expect(numbersOf(await a.claim(lease))).toEqual(['1:0+2'])
    expect(numbersOf(await b.claim(lease))).toEqual(['1:2+2'])
    expect((await b.claim(lease))?.segments ?? []).toEqual([])
    living.delete('a')
    expect(numbersOf(await b.claim(lease))).toEqual(['1:0+2'])
  })

  test('what the relay put off stays so when its claimer dies', async () => {
    const a = openElsewhere({ holders: { own: 'a', isAlive: () => true } })
    await a.append(one.group(events(2)))
    const claim = await claimOf(a, { leaseMs: 60_000 })
    const deferred = [{ stream: one.stream, from: 0, to: 1, delayMs: 30_000 }]
    await a.settle({ claim, received: {}, rejected: [], deferred, nowMs: NOW })
    const b = openElsewhere({ holders: { own: 'b', isAlive: () => false } })
    expect((await b.claim(CLAIM_ALL))?.segments ?? []).toEqual([])
    expect(numbersOf(await b.claim({ ...CLAIM_ALL, nowMs: NOW + 30_000 }))).toEqual(['1:0+2'])
  })

  test('one that holds the database for too long costs the others a clear error, and nothing of what is stored', async () => {
    await outbox.append(one.group(events(1)))
    db.exec('PRAGMA busy_timeout = 10')
    const holder = new DatabaseSync(path)
    holder.exec('BEGIN IMMEDIATE')
    const refused = { code: 'outbox_unavailable', detail: { trouble: 'busy' } }
    await expect(outbox.append(one.group(events(1)))).rejects.toMatchObject(refused)
    await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject(refused)
    expect((await outbox.totals()).events).toBe(1)
    holder.close()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+1'])
  })
})

describe('a full disk', () => {
  const fill = (spare = 0) => {
    const [{ page_count: pages } = { page_count: 0 }] = committed('PRAGMA page_count') as { page_count: number }[]
    db.exec(`PRAGMA max_page_count = ${pages + spare}`)
  }
  const big = (count: number) => events(count, 'x'.repeat(20_000))

  test('refuses an append with its own code and keeps nothing of it', async () => {
    await outbox.append(one.group(events(2)))
    fill()
    await expect(outbox.append(one.group(big(1)))).rejects.toMatchObject({ name: 'MetertapError', code: 'outbox_full' })
    expect((await outbox.totals()).events).toBe(2)
    expect(numbersOf(await claimOf(outbox, { leaseMs: 1_000 }))).toEqual(['1:0+2'])
  })

  test('drains all the same', async () => {
    await outbox.append(one.group(big(6), { perSegment: 1 }))
    fill()
    const claim = await claimOf(outbox, { leaseMs: 1_000 })
    expect(await outbox.settle(received(claim))).toMatchObject({ received: 6 })
    expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
    await outbox.append(one.group(big(3)))
    expect((await outbox.totals()).events).toBe(3)
  })
})

describe('rows that other code has changed', () => {
  const damage = (sql: string) => {
    const writer = new DatabaseSync(path)
    writer.exec(sql)
    writer.close()
  }

  test.each([
    ['head', 'streams', `UPDATE streams SET row = '{'`],
    ['head that is no head', 'streams', `UPDATE streams SET row = '[]'`],
    ['progress', 'progress', `UPDATE progress SET row = 'nonsense'`],
    ['lease', 'hidden', `UPDATE hidden SET count = 'many'`],
  ])('a damaged %s is set aside, and the next claim goes on', async (_, store, sql) => {
    await outbox.append(one.group(events(4), { perSegment: 2 }))
    await outbox.settle(received(await claimOf(outbox, { maxEvents: 2 })))
    await claimOf(outbox, { leaseMs: 60_000 })
    damage(sql)
    const two = new UsageOwner(streamId(2), 'acme')
    await outbox.append(two.group(events(1)))
    expect(numbersOf(await claimOf(outbox))).toContain('2:0+1')
    expect((await outbox.quarantined()).map((found) => found.store)).toContain(store)
    const found = (await outbox.quarantined()).length
    await claimOf(outbox)
    expect(await outbox.quarantined()).toHaveLength(found)
  })

  test('a damaged roll-up is set aside when it would be closed', async () => {
    await outbox.append(one.rollup(events(1)[0] as string, 5_000))
    damage(`UPDATE rollups SET row = '{"event":'`)
    expect(await outbox.openRollups()).toEqual([])
    expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(0)
    expect(await outbox.quarantined()).toMatchObject([{ store: 'rollups', row: { stream: one.stream, seq: 0 } }])
    expect(await outbox.streams()).toMatchObject([{ recorded: 1, dropped: { corrupt: 1 } }])
  })

  test('a database of a newer version is left alone', () => {
    damage(`UPDATE meta SET value = '99' WHERE key = 'version'`)
    const message = expect.stringContaining('newer')
    expect(() => openElsewhere()).toThrow(expect.objectContaining({ code: 'outbox_unavailable', message }))
  })
})
