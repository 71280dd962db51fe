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

export interface DeliveryRow {
  id: string
  lane: string
  rows: number
  runs: string
  empty: number | boolean
}

export interface StoredChunk extends ChunkRow {
  lane: string
  unsettled: number
}

export function keyOf({ tenant, account, stream }: { tenant: string; account: string; stream: string }): string {
  return JSON.stringify([tenant, account, stream])
}

/** The runs of all deliveries by chunk. */
export function runsByChunk(rows: Iterable<DeliveryRow>, report: Report): Map<number, { lane: string; run: Run }[]> {
  const runs = new Map<number, { lane: string; run: Run }[]>()
  for (const { id, lane, rows: counted, runs: text, empty } of rows) {
    let events = 0
    for (const run of JSON.parse(text) as Run[]) {
      events += run[2] - run[1]
      runs.set(run[0], [...(runs.get(run[0]) ?? []), { lane, run }])
    }
    if (events !== counted) report(`Delivery ${id} counts ${counted} events and holds ${events}.`)
    if (empty) report(`Delivery ${id} has no body.`)
  }
  return runs
}

/** How many unsettled events the chunk has. */
export function enterChunk(
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

/** Notes that numbers of a stream are at a place, and reports those that are at another too. */
export function enter(
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
