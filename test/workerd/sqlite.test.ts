import { env, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { Sqlite } from '../../src/sqlite/contract.ts'
import { durableObjectSqlite } from '../../src/sqlite/durable-object.ts'

let objects = 0

/** Goes to work on the SQLite of a fresh Durable Object. */
function inside<R>(work: (db: Sqlite) => R | Promise<R>): Promise<R> {
  const stub = env.STOREROOM.get(env.STOREROOM.idFromName(`sqlite-${objects++}`))
  return runInDurableObject(stub, (_, { storage }) => work(durableObjectSqlite(storage)))
}

const numbers = (db: Sqlite) =>
  db
    .prepare('SELECT n FROM t ORDER BY n')
    .all()
    .map(({ n }) => n)

describe('the SQLite of a Durable Object', () => {
  test('counts what a statement changed', () =>
    inside((db) => {
      db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY); CREATE INDEX twice ON t (n * 2)')
      expect(Number(db.prepare('INSERT INTO t VALUES (?), (?), (?)').run(1, 2, 3).changes)).toBe(3)
      expect(Number(db.prepare('UPDATE t SET n = n + 10 WHERE n > ?').run(1).changes)).toBe(2)
      expect(Number(db.prepare('DELETE FROM t WHERE n = ?').run(99).changes)).toBe(0)
      expect(Number(db.prepare('DELETE FROM t').run().changes)).toBe(3)
    }))

  test('takes and gives every kind of value', () =>
    inside((db) => {
      db.exec('CREATE TABLE t (a, b, c, d, e, f)')
      const part = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)
      db.prepare('INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)').run(
        null,
        1.5,
        2n ** 52n,
        'ä\u{1f600}',
        part,
        new Uint8Array(0),
      )
      const row = db.prepare('SELECT * FROM t').get()
      expect(row).toEqual({
        a: null,
        b: 1.5,
        c: 2 ** 52,
        d: 'ä\u{1f600}',
        e: new Uint8Array([1, 2, 3]),
        f: new Uint8Array(0),
      })
      expect(db.prepare('SELECT a FROM t WHERE b > ?').get(2)).toBeUndefined()
    }))

  test('gives rows one at a time', () =>
    inside((db) => {
      db.exec('CREATE TABLE t (n)')
      for (let n = 0; n < 100; n++) db.prepare('INSERT INTO t VALUES (?)').run(n)
      const seen: unknown[] = []
      for (const { n } of db.prepare('SELECT n FROM t ORDER BY n').iterate()) {
        seen.push(n)
        if (seen.length === 3) break
      }
      expect(seen).toEqual([0, 1, 2])
      // What was left in the middle disturbs nothing.
      expect(Number(db.prepare('DELETE FROM t').run().changes)).toBe(100)
    }))

  test('a transaction that throws leaves nothing, nested ones only their own part', () =>
    inside((db) => {
      db.exec('CREATE TABLE t (n)')
      const put = (n: number) => db.prepare('INSERT INTO t VALUES (?)').run(n)
      expect(() =>
        db.transaction(() => {
          put(1)
          throw new Error('no')
        }),
      ).toThrow('no')
      expect(numbers(db)).toEqual([])
      db.transaction(() => {
        put(2)
        expect(() =>
          db.transaction(() => {
            put(3)
            throw new Error('inner')
          }),
        ).toThrow('inner')
        db.transaction(() => put(4))
      })
      expect(numbers(db)).toEqual([2, 4])
    }))

  test('an asynchronous transaction is all or nothing too, and the object lives on', () =>
    inside(async (db) => {
      db.exec('CREATE TABLE t (n)')
      const put = (n: number) => db.prepare('INSERT INTO t VALUES (?)').run(n)
      const value = await db.transactionAsync(async () => {
        put(1)
        await Promise.resolve()
        put(2)
        return 'done'
      })
      expect(value).toBe('done')
      await expect(
        db.transactionAsync(async () => {
          put(3)
          await Promise.resolve()
          throw new Error('no')
        }),
      ).rejects.toThrow('no')
      expect(numbers(db)).toEqual([1, 2])
      await db.transactionAsync(async () => put(5))
      expect(numbers(db)).toEqual([1, 2, 5])
    }))
})
