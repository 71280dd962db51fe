import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { verifyStore } from '../../src/relay/store/sqlite/verify-store.ts'
import { rangeCount } from '../../src/wire/ranges.ts'
import { commitsIn } from '../support/write-ahead-log.ts'
import { describeRelayStore } from './relay-store.ts'
import { drain, events, request, streamId, take } from './relay-store-kit.ts'

describeRelayStore('SQLite store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-store-'))
  return {
    open: (options = {}) =>
      openSqliteStore({ path: join(folder, 'relay.db'), clock: () => 1_700_000_100_000, ...options }),
    verify: async () => (await verifyStore(join(folder, 'relay.db'))).problems,
    remove: async () => rmSync(folder, { recursive: true }),
  }
})

describe('SQLite store, its file', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'metertap-store-'))
    path = join(folder, 'relay.db')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const open = () => openSqliteStore({ path, clock: () => 42 })

  test('calls of one turn share one transaction', async () => {
    const store = open()
    await store.check()
    const before = commitsIn(path)
    const lists = Array.from({ length: 50 }, (_, n) => events(0, 9, { stream: streamId(n) }))
    const results = await Promise.all(lists.map((list) => store.accept(request(list))))
    expect(results.every(({ stored }) => stored === 10)).toBe(true)
    expect(commitsIn(path) - before).toBe(1)
    await store.accept(request(events(10, 10)))
    expect(commitsIn(path) - before).toBe(2)
    await store.close()
  })

  test('is readable by its owner only', async () => {
    const store = open()
    await store.accept(request(events(0, 1)))
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600)
    await store.close()
  })

  test('syncs every commit', async () => {
    const store = open()
    await store.close()
    // The settings are per connection, so they are read where the store sets them.
    const { openDatabase } = await import('../../src/relay/store/sqlite/database.ts')
    const db = openDatabase(path)
    expect(db.prepare('PRAGMA synchronous').get()).toMatchObject({ synchronous: 2 })
    expect(db.prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    expect(db.prepare('PRAGMA foreign_keys').get()).toMatchObject({ foreign_keys: 1 })
    db.close()
  })

  test('settled events leave the file, and it does not grow for ever', async () => {
    const store = open()
    const data = JSON.stringify('x'.repeat(500))
    let sizeEarly = 0
    for (let round = 0; round < 40; round++) {
      await store.accept(request(events(round * 200, round * 200 + 199, { data })))
      const buried = await take(store, { maxEvents: 30, nowMs: 0 })
      await store.buryDelivery(buried?.id ?? '', 'refused', '', 0)
      await drain(store, { maxEvents: 70 })
      if (round === 9) sizeEarly = pages(path)
    }
    expect(count(path, 'chunks')).toBe(0)
    expect(count(path, 'deliveries')).toBe(0)
    // 30 rounds more than at the early mark: only their 900 dead letters (about 0.7 KB each, with their index) may have come on top.
    expect(pages(path) - sizeEarly).toBeLessThan((900 * 800) / 4096)
    await store.close()
  })

  test('refuses a file of a newer version, a folder that is not there, and memory', async () => {
    await open().close()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect(open).toThrow(expect.objectContaining({ code: 'bad_option', message: expect.stringContaining('newer') }))
    for (const wrong of [join(folder, 'absent', 'relay.db'), folder, ':memory:', '']) {
      expect(() => openSqliteStore({ path: wrong, clock: () => 0 })).toThrow(
        expect.objectContaining({ code: 'bad_option' }),
      )
    }
  })

  test('keys of a day that is past the window leave the file, with their table', async () => {
    const store = openSqliteStore({ path, clock: () => 42, idempotencyWindowDays: 3 })
    const days: string[] = []
    for (let day = 0; day < 8; day++) {
      const receivedAtMs = Date.UTC(2026, 11, 28 + day, 12)
      const list = events(day * 10, day * 10 + 4).map((each, i) => ({ ...each, idempotencyKey: `${day} ${i}` }))
      await store.accept(request(list, { receivedAtMs }))
      days.push(new Date(receivedAtMs).toISOString().slice(0, 10).replaceAll('-', ''))
    }
    expect(tables(path, 'keys_*')).toEqual(days.slice(4).map((day) => `keys_${day}`))
    await store.close()
  })

  test('a full disk fails the call, keeps nothing of it, and the store lives on', async () => {
    const store = open()
    await store.accept(request(events(0, 9)))
    await store.close()
    const { openDatabase } = await import('../../src/relay/store/sqlite/database.ts')
    const { createGroupCommit } = await import('../../src/relay/store/sqlite/group-commit.ts')
    const db = openDatabase(path)
    const group = createGroupCommit(db)
    const pageCount = Number(db.prepare('PRAGMA page_count').get()?.page_count)
    db.exec(`PRAGMA max_page_count = ${pageCount + 2}`)
    const put = (name: string, size: number) => () =>
      db.prepare('INSERT INTO secrets VALUES (?, ?, 0)').run(name, 'x'.repeat(size))
    const results = await Promise.allSettled([group.run(put('small', 10)), group.run(put('huge', 1_000_000))])
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'internal' } })
    const stored = db.prepare('SELECT name FROM secrets').all()
    // Whoever was told "stored" is stored; a full disk may cost the neighbours their transaction, but then they are told.
    expect(stored.length).toBe(results.filter(({ status }) => status === 'fulfilled').length)
    db.exec('PRAGMA max_page_count = 1000000')
    await group.run(put('later', 1_000_000))
    db.close()
    const reopened = open()
    expect(await drain(reopened)).toHaveLength(10)
    await reopened.close()
  })

  test('killed in the middle of work: all that was acknowledged is there, and nothing by half', async () => {
    for (let round = 0; round < 3; round++) {
      const acknowledged = await runAndKill(path, round, 150 + 100 * round)
      expect(acknowledged.size).toBeGreaterThan(0)
      const store = open()
      for (const [stream, highest] of acknowledged) {
        const [row] = await store.ledger({ stream })
        expect(row?.received).toBeGreaterThanOrEqual(highest + 1)
      }
      // What the ledger says is held can be delivered, whole: each batch has 20 events.
      const held = (await store.totals()).received - (await store.totals()).forwarded
      const delivered = await drain(store)
      expect(delivered).toHaveLength(held)
      expect(held % 20).toBe(0)
      expect(new Set(delivered).size).toBe(held)
      const { received } = await store.accept(
        request([...events(0, 19, { stream: [...acknowledged.keys()][0] as string })]),
      )
      expect(rangeCount(Object.values(received)[0] ?? [])).toBeGreaterThanOrEqual(20)
      await store.close()
    }
  })
})

/** Runs a writer in another process until it is killed; what it said was acknowledged: stream → highest number. */
async function runAndKill(path: string, round: number, afterAcks: number): Promise<Map<string, number>> {
  const writer = fileURLToPath(new URL('../support/store-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [writer, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const acknowledged = new Map<string, number>()
  let acks = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [stream, highest] = line.split(' ')
    // A line that was cut off by the kill has no end mark.
    if (!line.endsWith(' ok')) continue
    acknowledged.set(stream as string, Number(highest))
    if (++acks === afterAcks) child.kill('SIGKILL')
  }
  return acknowledged
}

function count(path: string, table: string): number {
  const db = new DatabaseSync(path)
  try {
    return Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n)
  } finally {
    db.close()
  }
}

function tables(path: string, names: string): string[] {
  const db = new DatabaseSync(path)
  try {
    const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ? ORDER BY name")
    return rows.all(names).map(({ name }) => String(name))
  } finally {
    db.close()
  }
}

function pages(path: string): number {
  const db = new DatabaseSync(path)
  try {
    return Number(db.prepare('PRAGMA page_count').get()?.page_count)
  } finally {
    db.close()
  }
}
