import type { Sqlite } from '../../../sqlite/contract.ts'
import type { Report, StreamPlaces } from '../core/verify-places.ts'
import { type CountedRow, createStreamChecker } from '../core/verify-streams.ts'

/** Checks each stream's counts against its numbers and against where its events are, and the totals; how many streams. */
export function checkStreams(db: Sqlite, places: Map<string, StreamPlaces>, report: Report): number {
  const checker = createStreamChecker(places, report)
  for (const row of db.prepare('SELECT * FROM streams').iterate()) checker.add(row as unknown as CountedRow)
  return checker.end(db.prepare('SELECT * FROM totals').get())
}
