import type { Sqlite } from '../../../sqlite/contract.ts'
import type { Range } from '../../../wire/contract.ts'
import { addRange, rangeCount } from '../../../wire/ranges.ts'
import { type ChunkRow, pieces, type Run } from './chunk-format.ts'

/** Where a stream's received and unsettled events are. */
export interface StreamPlaces {
  /** All of them, as numbers. */
  numbers: readonly Range[]
  onTheWay: number
  held: number
  dead: number
}

export type Report = (problem: string) => void

interface LaneRow {
  lane: string
  chunk: number
  position: number
  waiting: number
}

interface DeliveryRow {
  id: string
  lane: string
  rows: number
  runs: string
  empty: number
}

interface StoredChunk extends ChunkRow {
  lane: string
  unsettled: number
}

export function keyOf({ tenant, account, stream }: { tenant: string; account: string; stream: string }): string {
  return JSON.stringify([tenant, account, stream])
}

/** Reads all chunks, deliveries and dead letters, and reports what does not fit together. */
export function readBacklog(db: Sqlite, report: Report): { places: Map<string, StreamPlaces>; onTheWay: number } {
  const places = new Map<string, StreamPlaces>()
  const lanes = new Map((db.prepare('SELECT * FROM lanes').all() as unknown as LaneRow[]).map((row) => [row.lane, row]))
  const runs = readDeliveries(db, report)
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

function readDeliveries(db: Sqlite, report: Report): Map<number, { lane: string; run: Run }[]> {
  const runs = new Map<number, { lane: string; run: Run }[]>()
  const all = db.prepare('SELECT id, lane, rows, runs, length(body) = 0 AS empty FROM deliveries')
  for (const row of all.iterate() as Iterable<unknown>) {
    const { id, lane, rows, runs: text, empty } = row as DeliveryRow
    let events = 0
    for (const run of JSON.parse(text) as Run[]) {
      events += run[2] - run[1]
      runs.set(run[0], [...(runs.get(run[0]) ?? []), { lane, run }])
    }
    if (events !== rows) report(`Delivery ${id} counts ${rows} events and holds ${events}.`)
    if (empty) report(`Delivery ${id} has no body.`)
  }
  return runs
}

/** How many unsettled events the chunk has. */
function enterChunk(
  chunk: StoredChunk,
  open: readonly Run[],
  kind: 'onTheWay' | 'held',
  places: Map<string, StreamPlaces>,
  report: Report,
): number {
  const { id, count, unsettled, spans, body } = chunk
  const name = `${kind === 'held' ? 'Chunk on hold' : 'Chunk'} ${id}`
  const inSpans = [...pieces(spans, [[id, 0, count]])].reduce((sum, piece) => sum + piece.count, 0)
  const lines = body.split('\n').length
  if (inSpans !== count || lines !== count) report(`${name} counts ${count} events, names ${inSpans}, holds ${lines}.`)
  let found = 0
  // Each by itself: runs that overlap must show.
  for (const [, from, until] of open) {
    if (until > count) report(`A delivery holds more events of chunk ${id} than it has.`)
    for (const { stream, seq, count: size } of pieces(spans, [[id, from, until]])) {
      enter({ ...chunk, stream }, [seq, seq + size - 1], kind, places, report)
      found += size
    }
  }
  if (found !== unsettled) report(`${name} counts ${unsettled} unsettled events; there are ${found}.`)
  return found
}

function enter(
  of: { tenant: string; account: string; stream: string },
  [from, to]: Range,
  kind: 'onTheWay' | 'held' | 'dead',
  places: Map<string, StreamPlaces>,
  report: Report,
): void {
  const key = keyOf(of)
  const place = places.get(key) ?? { numbers: [], onTheWay: 0, held: 0, dead: 0 }
  const { ranges, added } = addRange(place.numbers, from, to)
  const size = to - from + 1
  if (rangeCount(added) !== size) report(`Stream ${of.stream}: an event of ${from}–${to} is there more than once.`)
  place.numbers = ranges
  place[kind] += size
  places.set(key, place)
}
