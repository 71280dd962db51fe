import type { Sqlite } from '../../../sqlite/contract.ts'
import type { Report, StreamPlaces } from '../core/verify-places.ts'
import { type CountedRow, checkStreamRows } from '../core/verify-streams.ts'

/** Checks each stream's counts against its numbers and against where its events are, and the totals; how many streams. */
export function checkStreams(db: Sqlite, places: Map<string, StreamPlaces>, report: Report): number {
  const rows = db.prepare('SELECT * FROM streams').iterate() as Iterable<unknown> as Iterable<CountedRow>
  return checkStreamRows(rows, db.prepare('SELECT * FROM totals').get(), places, report)
}
