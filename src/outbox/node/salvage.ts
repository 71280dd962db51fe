import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import type { Sqlite } from '../../sqlite/contract.ts'
import { declareLost } from './declare-lost.ts'

const TABLES = ['meta', 'streams', 'progress', 'segments', 'dead', 'rollups', 'quarantine'] as const

export interface Salvaged {
  readonly rows: number
  /** Events that are known to have been there, and could not be read. */
  readonly lostEvents: number
}

/**
 * Copies what can still be read of a damaged database into a new one of the same version: from the front until a read
 * fails, then from the back. What is known to be lost is declared. What comes over damaged is noticed by the next claim,
 * as in any outbox.
 */
export function salvage(damagedPath: string, db: Sqlite, nowMs: number): Salvaged {
  let source: DatabaseSync | undefined
  try {
    source = new DatabaseSync(damagedPath)
    const from = source
    return db.transaction(() => {
      const rows = TABLES.reduce((sum, table) => sum + copy(from, db, table), 0)
      return { rows, lostEvents: declareLost(db, nowMs) }
    })
  } catch {
    // Not a database at all, or there is no room for a copy: the file is still there, under its new name.
    return { rows: 0, lostEvents: 0 }
  } finally {
    source?.close()
  }
}

function copy(source: DatabaseSync, db: Sqlite, table: (typeof TABLES)[number]): number {
  let rows = 0
  for (const direction of ['ASC', 'DESC']) {
    try {
      for (const row of source.prepare(`SELECT * FROM ${table} ORDER BY 1 ${direction}`).iterate()) {
        const names = Object.keys(row)
        const values = Object.values(row) as SQLInputValue[]
        const marks = names.map(() => '?').join(', ')
        const insert = db.prepare(`INSERT OR IGNORE INTO ${table} (${names.join(', ')}) VALUES (${marks})`)
        rows += Number(insert.run(...(values as Parameters<typeof insert.run>)).changes)
      }
      return rows
    } catch {
      // Unreadable from here on.
    }
  }
  return rows
}
