import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { verifyStore } from '../../src/relay/store/sqlite/verify-store.ts'
import { drain, event, events, request, S1, S2, streamId, take } from './relay-store-kit.ts'

let folder: string
let path: string
let store: RelayStore

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-verify-'))
  path = join(folder, 'relay.db')
  store = openSqliteStore({ path, clock: () => 42 })
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

/** Some of everything: forwarded, dead, discarded, de-duplicated, held, waiting, late, in delivery, parked. */
async function fill(): Promise<void> {
  await store.accept(request(events(0, 19)))
  await store.acceptDelivery((await take(store, { maxEvents: 5 }))?.id ?? '', 1)
  await store.buryDelivery((await take(store, { maxEvents: 3 }))?.id ?? '', 'x', 'y', 1)
  await store.deleteDeadLetters([1])
  await store.parkDelivery((await take(store, { maxEvents: 2 }))?.id ?? '', 'why', 1)
  await take(store, { maxEvents: 2 })
  await store.accept(request(events(30, 34), { hold: true }))
  await store.accept(
    request([event(0, { stream: S2, idempotencyKey: 'a' }), event(1, { stream: S2, idempotencyKey: 'a' })]),
  )
  await store.accept(request([event(50, { atMs: 1, meter: 'storage' })], { refused: [{ stream: S1, seq: 60 }] }))
  await take(store, { lane: 'storage', late: { lane: 'storage:late', beforeMs: 2 } })
  await take(store, { owner: 'o2', maxEvents: 3 })
}

describe('verifyStore', () => {
  test('finds nothing wrong with a store that has everything in it, in use or closed', async () => {
    await fill()
    const good = { ok: true, problems: [], streams: 2, eventsOnTheWay: 14 }
    expect(await verifyStore(path)).toEqual(good)
    await store.close()
    expect(await verifyStore(path)).toEqual(good)
    store = openSqliteStore({ path, clock: () => 42 })
    await drain(store)
    expect(await verifyStore(path)).toMatchObject({ ok: true })
  })

  test.each<[string, string, string]>([
    ['a lost chunk', 'DELETE FROM chunks WHERE id = (SELECT min(id) FROM chunks)', 'not there'],
    [
      'a chunk twice',
      `INSERT INTO chunks SELECT NULL, lane, meter, tenant, account, device, received_at_ms, count,
      unsettled, spans, body FROM chunks WHERE id = 1`,
      'more than once',
    ],
    [
      'a chunk with a line less',
      'UPDATE chunks SET body = substr(body, 1, instr(body, char(10)) - 1) WHERE id = 1',
      'holds 1',
    ],
    ['a chunk with a wrong count', 'UPDATE chunks SET unsettled = unsettled - 1 WHERE id = 1', 'unsettled'],
    [
      'a chunk that names other events',
      `UPDATE chunks SET spans = '[["${S1}",1000,20]]' WHERE id = 1`,
      'never received',
    ],
    ['a lost delivery', 'DELETE FROM deliveries WHERE parked_at_ms IS NOT NULL', 'accounted for'],
    [
      'two deliveries of one event',
      `INSERT INTO deliveries SELECT 'twin', lane, first_chunk, first_position, rows, bytes,
      attempts, owner, lease_until_ms, claimed_at_ms, not_before_ms, oldest_at_ms, doubt_since_ms, parked_reason,
      parked_at_ms, last_error, runs, body FROM deliveries LIMIT 1`,
      'more than once',
    ],
    ['a delivery with a wrong count', 'UPDATE deliveries SET rows = rows + 1', 'counts 3 events and holds 2'],
    ['a delivery without a body', "UPDATE deliveries SET body = x''", 'no body'],
    ['a delivery beyond its chunk', "UPDATE deliveries SET runs = '[[1,19,21]]'", 'more events of chunk 1'],
    ['a delivery of another lane', "UPDATE deliveries SET lane = 'storage:late'", 'A delivery of storage:late'],
    ['a cursor that moved', 'UPDATE lanes SET position = position + 1 WHERE chunk > 0', 'events that wait'],
    [
      'a lane without its row',
      "PRAGMA foreign_keys = OFF; DELETE FROM lanes WHERE lane = 'storage:late'",
      'a lane that is not there',
    ],
    ['a lost chunk on hold', 'DELETE FROM held_chunks', 'on hold'],
    ['a lost dead letter', 'DELETE FROM dead_letters WHERE id = 2', 'counted as dead'],
    ['a lost stream', `DELETE FROM streams WHERE stream = '${S1}'`, 'no such stream'],
    ['forgotten numbers', `UPDATE streams SET held = '[[5,19]]' WHERE stream = '${S1}'`, 'never received'],
    [
      'numbers in disorder',
      `UPDATE streams SET held = '[[30,34],[0,19],[50,50]]' WHERE stream = '${S1}'`,
      'not in order',
    ],
    [
      'a number received and refused',
      `UPDATE streams SET refused_ranges = '[[3,3]]' WHERE stream = '${S1}'`,
      'both received and refused',
    ],
    ['too few recorded', `UPDATE streams SET recorded = 40 WHERE stream = '${S1}'`, 'said to be recorded'],
    ['too many forwarded', `UPDATE streams SET forwarded = forwarded + 1 WHERE stream = '${S1}'`, 'accounted for'],
    [
      'a negative count',
      `UPDATE streams SET discarded = -1, forwarded = forwarded + 2 WHERE stream = '${S1}'`,
      'negative',
    ],
    [
      'a wrong count of received',
      `UPDATE streams SET received = received + 1 WHERE stream = '${S1}'`,
      'counted as received',
    ],
    ['a wrong total', 'UPDATE totals SET deduplicated = 7', 'The total of deduplicated'],
  ])('finds %s', async (_, sql, problem) => {
    await fill()
    await store.close()
    const db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
    db.exec(sql)
    db.close()
    const { ok, problems } = await verifyStore(path)
    expect(ok).toBe(false)
    expect(problems.join('\n')).toContain(problem)
  })

  test('finds a damaged page', async () => {
    for (let n = 0; n < 200; n++) await store.accept(request(events(0, 9, { stream: streamId(n) })))
    await store.close()
    const { size } = statSync(path)
    const file = (await import('node:fs')).openSync(path, 'r+')
    const { writeSync, closeSync } = await import('node:fs')
    for (let at = 4_096 * 10; at < size; at += 4_096 * 5) writeSync(file, Buffer.alloc(64, 0xff), 0, 64, at)
    closeSync(file)
    const { ok, problems } = await verifyStore(path)
    expect(ok).toBe(false)
    expect(problems.length).toBeGreaterThan(0)
    store = openSqliteStore({ path: join(folder, 'other.db'), clock: () => 42 })
  })

  test('says no more than it must', async () => {
    for (let n = 0; n < 300; n++) await store.accept(request([event(0, { stream: streamId(n), data: '"private"' })]))
    await store.close()
    const db = new DatabaseSync(path)
    db.exec('UPDATE streams SET forwarded = 5')
    db.close()
    const { problems } = await verifyStore(path)
    expect(problems).toHaveLength(100)
    expect(problems.join()).not.toContain('private')
  })

  test('refuses what is no store', async () => {
    const text = join(folder, 'text')
    writeFileSync(text, 'no database at all, but long enough to be read as one, page after page')
    for (const wrong of [text, join(folder, 'absent.db'), folder]) {
      await expect(verifyStore(wrong)).rejects.toMatchObject({ code: 'bad_option' })
    }
    expect(existsSync(join(folder, 'absent.db'))).toBe(false)
  })
})

describe('backup', () => {
  test('is a whole store of one moment, taken while events come in', async () => {
    await fill()
    const data = JSON.stringify('x'.repeat(2_000))
    for (let n = 100; n < 150; n++) await store.accept(request(events(0, 49, { stream: streamId(n), data })))
    const before = await store.totals()
    const target = join(folder, 'backup.db')
    let isDone = false
    const done = store.backup(target).finally(() => {
      isDone = true
    })
    let writes = 0
    while (!isDone) await store.accept(request([event(writes++, { stream: streamId(200) })]))
    await done
    expect(writes).toBeGreaterThan(0)
    expect(await verifyStore(target)).toMatchObject({ ok: true })
    expect(statSync(target).mode & 0o777).toBe(0o600)
    const copy = openSqliteStore({ path: target, clock: () => 42 })
    const { received } = await copy.totals()
    expect(received).toBeGreaterThanOrEqual(before.received)
    expect(received).toBeLessThanOrEqual((await store.totals()).received)
    // What was known to be received is: agents may send it again.
    expect(await copy.accept(request(events(0, 19)))).toMatchObject({ stored: 0, duplicates: 20 })
    await copy.close()
  })

  test('never takes the place of another file, and leaves nothing unfinished', async () => {
    await fill()
    const target = join(folder, 'backup.db')
    await store.backup(target)
    await expect(store.backup(target)).rejects.toMatchObject({ code: 'bad_option' })
    await expect(store.backup(join(folder, 'absent', 'backup.db'))).rejects.toMatchObject({ code: 'bad_option' })
    const results = await Promise.allSettled([1, 2].map(() => store.backup(join(folder, 'second.db'))))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const { readdirSync } = await import('node:fs')
    expect(
      readdirSync(folder)
        .filter((name) => !name.startsWith('relay.db'))
        .toSorted(),
    ).toEqual(['backup.db', 'second.db'])
    await store.close()
    await expect(store.backup(join(folder, 'third.db'))).rejects.toMatchObject({ code: 'closed' })
  })
})
