import type { Sqlite, SqliteStatement } from '../../../sqlite/contract.ts'

export interface IdempotencyKeys {
  /** True when the account used the key for the first time within the window; it is known from then on. */
  use(owner: { readonly tenant: string; readonly account: string }, key: string, atMs: number): boolean
}

interface Statements {
  readonly finds: readonly SqliteStatement[]
  readonly insert: SqliteStatement
}

const DAY_MS = 86_400_000
/** Expressions may be 1,000 levels deep in SQLite, and 100 in a Durable Object. */
const MAX_TABLES_PER_STATEMENT = 50
/** A clock that is far ahead for a while must not cost the whole memory. */
const MAX_DROPS_PER_DAY = 2

/**
 * Keys that callers gave their events, in one table for each day on which some came in. A day that is past the window
 * is dropped as a table: no row is deleted singly, and a look-up asks at most window + 1 tables.
 * Everything here runs inside a transaction of the caller.
 */
export function createIdempotencyKeys(db: Sqlite, windowDays: number, schemaVersion: () => unknown): IdempotencyKeys {
  const names = db.prepare(`
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'keys_[0-9]*' ORDER BY name`)
  let seen: { version: unknown; tables: string[] } | undefined
  let prepared: (Statements & { readonly day: number; readonly version: unknown }) | undefined

  /** The schema's version tells of tables that a rolled-back transaction unmade, or another process made or dropped. */
  function tables(): { version: unknown; tables: string[] } {
    const now = schemaVersion()
    if (seen?.version !== now) seen = { version: now, tables: names.all().map(({ name }) => String(name)) }
    return seen as { version: unknown; tables: string[] }
  }

  function prepare(day: number): Statements {
    const current = tables()
    if (prepared?.day === day && prepared.version === current.version) return prepared
    const today = tableOf(day)
    if (!current.tables.includes(today)) {
      openDay(today, day, current.tables)
      seen = undefined
    }
    const { version: made, tables: all } = tables()
    const first = tableOf(day - windowDays)
    const others = all.filter((name) => name >= first && name !== today)
    const finds: SqliteStatement[] = []
    for (let at = 0; at < others.length; at += MAX_TABLES_PER_STATEMENT) {
      const some = others.slice(at, at + MAX_TABLES_PER_STATEMENT)
      finds.push(db.prepare(`SELECT ${some.map(hasKey).join(' OR ')} AS known`))
    }
    const insert = db.prepare(`INSERT INTO ${today} VALUES (?, ?, ?) ON CONFLICT DO NOTHING`)
    prepared = { day, finds, insert, version: made }
    return prepared
  }

  function openDay(today: string, day: number, known: readonly string[]): void {
    db.exec(`CREATE TABLE ${today} (
      account TEXT NOT NULL, key TEXT NOT NULL, tenant TEXT NOT NULL, PRIMARY KEY (account, key, tenant)
    ) STRICT, WITHOUT ROWID`)
    const old = known.filter((name) => name < tableOf(day - windowDays))
    for (const name of old.slice(0, MAX_DROPS_PER_DAY)) db.exec(`DROP TABLE ${name}`)
  }

  return {
    use({ tenant, account }, key, atMs) {
      const { finds, insert } = prepare(Math.floor(atMs / DAY_MS))
      if (finds.some((find) => find.get(account, key, tenant)?.known === 1)) return false
      return insert.run(account, key, tenant).changes === 1
    },
  }
}

function hasKey(table: string): string {
  return `EXISTS (SELECT 1 FROM ${table} WHERE account = ?1 AND key = ?2 AND tenant = ?3)`
}

/** Names in the order of their days, for the years 1970 to 9999. */
function tableOf(day: number): string {
  return `keys_${new Date(Math.max(0, day) * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`
}
