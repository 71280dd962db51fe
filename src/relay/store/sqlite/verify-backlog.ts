import type { Sqlite } from '../../../sqlite/contract.ts'
import type { Run } from '../core/chunk-format.ts'
import {
  type DeliveryRow,
  enter,
  enterChunk,
  type Report,
  runsByChunk,
  type StoredChunk,
  type StreamPlaces,
} from '../core/verify-places.ts'

interface LaneRow {
  lane: string
  chunk: number
  position: number
  waiting: number
}

/** Reads all chunks, deliveries and dead letters, and reports what does not fit together. */
export function readBacklog(db: Sqlite, report: Report): { places: Map<string, StreamPlaces>; onTheWay: number } {
  const places = new Map<string, StreamPlaces>()
  const lanes = new Map((db.prepare('SELECT * FROM lanes').all() as unknown as LaneRow[]).map((row) => [row.lane, row]))
  const all = db.prepare('SELECT id, lane, rows, runs, length(body) = 0 AS empty FROM deliveries')
  const runs = runsByChunk(all.iterate() as Iterable<unknown> as Iterable<DeliveryRow>, report)
  const waiting = new Map<string, number>()
  let onTheWay = 0
  for (const row of db.prepare('SELECT * FROM chunks ORDER BY id').iterate() as Iterable<unknown>) {
    const chunk = row as StoredChunk
    const lane = lanes.get(chunk.lane)
    const begin =
      lane === undefined || lane.chunk < chunk.id ? 0 : lane.chunk === chunk.id ? lane.position : chunk.count
    const open = [...(runs.get(chunk.id) ?? []), { lane: chunk.lane, run: [chunk.id, begin, chunk.count] as Run }]
    runs.delete(chunk.id)
    for (const { lane: of } of open) if (of !== chunk.lane) report(`A delivery of ${of} holds events of ${chunk.lane}.`)
    onTheWay += enterChunk(
      chunk,
      open.map(({ run }) => run),
      'onTheWay',
      places,
      report,
    )
    waiting.set(chunk.lane, (waiting.get(chunk.lane) ?? 0) + chunk.count - begin)
  }
  for (const id of runs.keys()) report(`A delivery holds events of chunk ${id}, which is not there.`)
  for (const { lane, waiting: counted } of lanes.values()) {
    const found = waiting.get(lane) ?? 0
    if (found !== counted) report(`Lane ${lane} counts ${counted} events that wait; there are ${found}.`)
  }
  for (const row of db.prepare('SELECT * FROM held_chunks').iterate() as Iterable<unknown>) {
    const chunk = { ...(row as StoredChunk), unsettled: (row as StoredChunk).count }
    enterChunk(chunk, [[chunk.id, 0, chunk.count]], 'held', places, report)
  }
  for (const row of db.prepare('SELECT tenant, account, stream, seq FROM dead_letters').iterate()) {
    const { tenant, account, stream, seq } = row as { tenant: string; account: string; stream: string; seq: number }
    enter({ tenant, account, stream }, [seq, seq], 'dead', places, report)
  }
  return { places, onTheWay }
}
