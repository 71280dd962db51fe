import type { SqliteRow, SqliteValue } from '../../sqlite/contract.ts'
import type { DeadLetter, Hidden, Quarantined, Rollup, Segment, StreamHead } from '../contract.ts'
import type { Progress, RowStore, SegmentKey, Tables } from '../core/tables.ts'
import type { Statements } from './statements.ts'

/** Rows whose fields are columns; the others are JSON in one column, by their key. */
const COLUMNS = {
  segments: 'stream, first, count, bytes, body, seal',
  hidden: 'stream, first, count, hiddenAtMs, visibleAtMs',
} as const

const KEYS: Readonly<Record<RowStore, readonly string[]>> = {
  segments: ['stream', 'first'],
  streams: ['stream'],
  progress: ['stream'],
  hidden: ['stream', 'first'],
  rollups: ['stream', 'seq'],
}

/** Beyond every number that a stream can have. */
const END = Number.MAX_SAFE_INTEGER

/** The rows of an outbox in SQLite. `leaseOwner`: who holds what putHidden() hides; undefined for what the relay put off. */
export function sqliteTables(sql: Statements, leaseOwner?: string): Tables {
  const json = (text: string, ...keys: SqliteValue[]) =>
    sql(text)
      .all(...keys)
      .map(rowOf)
  const put = (store: 'streams' | 'progress', row: { readonly stream: string }) =>
    void sql(`INSERT OR REPLACE INTO ${store} VALUES (?, ?)`).run(row.stream, JSON.stringify(row))
  const putNumbered = (store: 'dead' | 'rollups', row: { readonly stream: string; readonly seq: number }) =>
    void sql(`INSERT OR REPLACE INTO ${store} VALUES (?, ?, ?)`).run(row.stream, row.seq, JSON.stringify(row))

  function* inOrder(from: SegmentKey, before: SegmentKey | undefined, wanted: (stream: string) => boolean) {
    const select = `SELECT ${COLUMNS.segments} FROM segments WHERE (stream, first) >= (?, ?)`
    const bounded = before ? `${select} AND (stream, first) < (?, ?)` : select
    for (let [stream, first] = from; ; first = END) {
      let skipped: string | undefined
      for (const row of sql(`${bounded} ORDER BY stream, first`).iterate(stream, first, ...(before ?? []))) {
        if (typeof row.stream === 'string' && !wanted(row.stream)) {
          skipped = row.stream
          break
        }
        yield segmentOf(row)
      }
      if (skipped === undefined) return
      stream = skipped
    }
  }

  return {
    heads: async () => json('SELECT stream, row FROM streams ORDER BY stream') as unknown as StreamHead[],
    progress: async () => json('SELECT stream, row FROM progress') as unknown as Progress[],
    hidden: async () => sql(`SELECT ${COLUMNS.hidden} FROM hidden`).all().map(plain) as unknown as Hidden[],
    deadCount: async () => Number(sql('SELECT count(*) AS dead FROM dead').get()?.dead),
    async *segments(from = ['', 0], before, wanted) {
      yield* inOrder(from, before, wanted)
    },
    segmentsWithin: async (stream, from, to) =>
      sql(`SELECT ${COLUMNS.segments} FROM segments WHERE stream = ? AND first BETWEEN ? AND ? ORDER BY first`)
        .all(stream, from, bound(to))
        .map(segmentOf),
    putSegment: ({ stream, first, count, bytes, body, seal = null }) =>
      void sql(`INSERT INTO segments (${COLUMNS.segments}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
        SET count = excluded.count, bytes = excluded.bytes, body = excluded.body, seal = excluded.seal`).run(
        ...[stream, first, count, bytes, body, seal],
      ),
    deleteSegments: (stream, from, to) =>
      void sql('DELETE FROM segments WHERE stream = ? AND first BETWEEN ? AND ?').run(stream, from, bound(to)),
    putHidden: ({ stream, first, count, hiddenAtMs, visibleAtMs }) =>
      void sql(`INSERT OR REPLACE INTO hidden (${COLUMNS.hidden}, owner) VALUES (?, ?, ?, ?, ?, ?)`).run(
        stream,
        first,
        count,
        hiddenAtMs,
        visibleAtMs,
        leaseOwner ?? null,
      ),
    deleteHidden: (stream, from, to) =>
      void sql('DELETE FROM hidden WHERE stream = ? AND first BETWEEN ? AND ?').run(stream, from, bound(to)),
    putHead: (head) => put('streams', head),
    putProgress: (row) => put('progress', row),
    dead: async (stream, seq) =>
      json('SELECT row FROM dead WHERE stream = ? AND seq = ?', stream, seq)[0] as DeadLetter | undefined,
    putDead: (letter) => putNumbered('dead', letter),
    deleteDead: (stream, seq) => void sql('DELETE FROM dead WHERE stream = ? AND seq = ?').run(stream, seq),
    rollups: async () => json('SELECT stream, seq, row FROM rollups ORDER BY stream, seq') as unknown as Rollup[],
    putRollup: (rollup) => putNumbered('rollups', rollup),
    deleteRollup: (stream, seq) => void sql('DELETE FROM rollups WHERE stream = ? AND seq = ?').run(stream, seq),
    sameRow: async (store, row) => {
      const fields = store === 'segments' || store === 'hidden' ? COLUMNS[store] : `${KEYS[store].join(', ')}, row`
      const found = sql(`SELECT ${fields} FROM ${store} WHERE ${keyed(store)}`).get(...keyOf(store, row))
      if (!found) return undefined
      return { segments: segmentOf, hidden: plain, streams: rowOf, progress: rowOf, rollups: rowOf }[store](found)
    },
    quarantine: (found) => {
      sql('INSERT INTO quarantine (row) VALUES (?)').run(JSON.stringify(found))
      sql(`DELETE FROM ${found.store} WHERE ${keyed(found.store)}`).run(...keyOf(found.store, found.row))
    },
    deleteStream: (stream) => {
      sql('DELETE FROM streams WHERE stream = ?').run(stream)
      sql('DELETE FROM progress WHERE stream = ?').run(stream)
    },
  }
}

/** All dead letters in the order of their numbers. */
export function allDead(sql: Statements): DeadLetter[] {
  return sql('SELECT row FROM dead ORDER BY stream, seq').all().map(rowOf) as unknown as DeadLetter[]
}

export function allQuarantined(sql: Statements): Quarantined[] {
  return sql('SELECT row FROM quarantine ORDER BY id').all().map(rowOf) as unknown as Quarantined[]
}

/**
 * The rows that overviews are made of. One statement, so that it is one moment's view also where other processes write,
 * and no lock has to be taken for it.
 */
export function overviewTables(sql: Statements): Pick<Tables, 'heads' | 'progress' | 'deadCount'> {
  const rows = sql(`SELECT 1 AS kind, stream, row FROM streams
    UNION ALL SELECT 2, stream, row FROM progress
    UNION ALL SELECT 3, count(*), '0' FROM dead
    ORDER BY kind, stream`).all()
  const of = (kind: number) => rows.filter((row) => row.kind === kind)
  return {
    heads: async () => of(1).map(keyedRowOf) as unknown as StreamHead[],
    progress: async () => of(2).map(keyedRowOf) as unknown as Progress[],
    deadCount: async () => Number(of(3)[0]?.stream),
  }
}

/** The row as it was put. What is no JSON any more is given with its key, so that it can be found and set aside. */
function rowOf({ row, ...key }: SqliteRow): SqliteRow {
  try {
    const value = JSON.parse(String(row))
    // A row that names another key than its own is damaged, too: `key` has the last word.
    return typeof value === 'object' && value !== null ? { ...value, ...key } : { ...key, row: row ?? null }
  } catch {
    return { ...key, row: row ?? null }
  }
}

function keyedRowOf({ stream, row }: SqliteRow): SqliteRow {
  return rowOf({ stream: stream ?? null, row: row ?? null })
}

function segmentOf({ seal, ...row }: SqliteRow): Segment {
  return (seal === null ? row : { ...row, seal }) as unknown as Segment
}

/** Rows come without a prototype. */
function plain(row: SqliteRow): SqliteRow {
  return { ...row }
}

function keyed(store: RowStore): string {
  return KEYS[store].map((name) => `${name} IS ?`).join(' AND ')
}

function keyOf(store: RowStore, row: unknown): SqliteValue[] {
  return KEYS[store].map((name) => (row as SqliteRow)[name] ?? null)
}

function bound(number: number): number {
  return Math.min(number, END)
}
