import type { Sqlite } from '../../sqlite/contract.ts'
import type { Range } from '../../wire/contract.ts'
import { addRange } from '../../wire/ranges.ts'
import type { StreamHead } from '../contract.ts'
import { depart } from '../core/accounting.ts'
import { noProgress } from '../core/progress.ts'
import { CORRUPT } from '../core/quarantine.ts'
import { isHead, isProgress } from '../core/sound-rows.ts'
import { byStream, type Progress } from '../core/tables.ts'
import { sumOf } from '../core/tallies.ts'
import { createStatements, type Statements } from '../sqlite/statements.ts'
import { sqliteTables } from '../sqlite/tables.ts'

/**
 * After a salvage: declares the numbers of which neither a text nor an account is left, so that the relay hears of the
 * loss and they are not waited for. Gives how many events that is. Where the progress of a stream was lost too, its
 * delivered events are among them: too many are declared then, rather than too few.
 */
export function declareLost(db: Sqlite, nowMs: number): number {
  const sql = createStatements(db)
  const progress = byStream(soundRows(sql, 'progress', isProgress))
  return soundRows(sql, 'streams', isHead).reduce((lost, head) => {
    const known = progress.get(head.stream) ?? noProgress(head.stream)
    return lost + declare(sql, head, known, nowMs)
  }, 0)
}

function declare(sql: Statements, head: StreamHead, known: Progress, nowMs: number): number {
  const gaps = gapsIn(foundIn(sql, head.stream, known), head.recorded)
  // Numbers that the owner gave up itself have no text either; which ones they were nobody knows.
  let owned = sumOf(head.dropped)
  let draft = known
  let lost = 0
  for (const [from, to] of gaps) {
    const spared = Math.min(owned, to - from + 1)
    owned -= spared
    if (from + spared > to) continue
    const left = depart(draft, from + spared, to, { dropped: CORRUPT })
    draft = left.progress
    lost += left.count
  }
  if (lost > 0) sqliteTables(sql).putProgress({ ...draft, changedAtMs: nowMs })
  return lost
}

/** Numbers that have left, that wait, or whose window is open. */
function foundIn(sql: Statements, stream: string, { gone }: Progress): readonly Range[] {
  const waiting = sql(`SELECT first, first + count - 1 AS last FROM segments WHERE stream = ?
    UNION ALL SELECT seq, seq FROM rollups WHERE stream = ?
    UNION ALL SELECT seq, seq FROM dead WHERE stream = ? ORDER BY 1`).all(stream, stream, stream)
  return waiting.reduce<readonly Range[]>((found, { first, last }) => {
    return addRange(found, Number(first), Number(last)).ranges
  }, gone)
}

function gapsIn(ranges: readonly Range[], recorded: number): Range[] {
  const gaps: Range[] = []
  let next = 0
  for (const [from, to] of [...ranges, [recorded, recorded] as Range]) {
    const end = Math.min(from, recorded) - 1
    if (end >= next) gaps.push([next, end])
    next = Math.max(next, to + 1)
  }
  return gaps
}

function soundRows<Row>(sql: Statements, table: 'streams' | 'progress', isSound: (row: unknown) => row is Row): Row[] {
  return sql(`SELECT row FROM ${table}`)
    .all()
    .flatMap(({ row }) => {
      try {
        const value: unknown = JSON.parse(String(row))
        return isSound(value) ? [value] : []
      } catch {
        return []
      }
    })
}
