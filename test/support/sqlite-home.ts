import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { openSqliteOutbox } from '../../src/outbox/sqlite/open.ts'
import { openNodeSqlite } from '../../src/sqlite/node.ts'

/** A folder that is removed when the test is over. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-outbox-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An outbox in a file, or in SQLite's memory without one. */
export function openTestOutbox(path = ':memory:'): Outbox {
  const db = openNodeSqlite(path)
  db.exec('PRAGMA journal_mode = WAL')
  return openSqliteOutbox({ db, random: () => crypto.randomUUID(), clock: Date.now })
}
