import type { DeadLetter, Segment, StreamHead } from '../contract.ts'
import type { Hidden, Progress, Tables } from '../core/tables.ts'

/** The rows of an outbox in plain maps. */
export interface MemoryRows {
  readonly heads: Map<string, StreamHead>
  readonly progress: Map<string, Progress>
  /** By stream, then by first number. */
  readonly segments: Map<string, Map<number, Segment>>
  readonly hidden: Map<string, Map<number, Hidden>>
  readonly dead: Map<string, DeadLetter>
}

export function memoryRows(): MemoryRows {
  return { heads: new Map(), progress: new Map(), segments: new Map(), hidden: new Map(), dead: new Map() }
}

export function deadKey({ stream, seq }: Pick<DeadLetter, 'stream' | 'seq'>): string {
  return `${stream}-${seq}`
}

export function memoryTables(rows: MemoryRows): Tables {
  const within = (stream: string, from: number, to: number): Segment[] =>
    [...(rows.segments.get(stream)?.values() ?? [])]
      .filter(({ first }) => first >= from && first <= to)
      .sort((a, b) => a.first - b.first)
  return {
    heads: async () => [...rows.heads.values()].sort((a, b) => (a.stream < b.stream ? -1 : 1)),
    progress: async () => [...rows.progress.values()],
    hidden: async () => [...rows.hidden.values()].flatMap((each) => [...each.values()]),
    deadCount: async () => rows.dead.size,
    async *segments(from = ['', 0], before, wanted) {
      for (const stream of [...rows.segments.keys()].sort()) {
        if (stream < from[0] || !wanted(stream)) continue
        for (const segment of within(stream, stream === from[0] ? from[1] : 0, Number.POSITIVE_INFINITY)) {
          if (before && (stream > before[0] || (stream === before[0] && segment.first >= before[1]))) return
          yield segment
        }
      }
    },
    segmentsWithin: async (stream, from, to) => within(stream, from, to),
    putSegment: (segment) => put(rows.segments, segment),
    deleteSegments: (stream, from, to) => remove(rows.segments, stream, from, to),
    putHidden: (hidden) => put(rows.hidden, hidden),
    deleteHidden: (stream, from, to) => remove(rows.hidden, stream, from, to),
    putProgress: (progress) => void rows.progress.set(progress.stream, progress),
    putDead: (letter) => void rows.dead.set(deadKey(letter), letter),
    deleteStream: (stream) => {
      rows.heads.delete(stream)
      rows.progress.delete(stream)
    },
  }
}

type ByNumber<Row> = Map<string, Map<number, Row>>

function put<Row extends { readonly stream: string; readonly first: number }>(table: ByNumber<Row>, row: Row): void {
  const known = table.get(row.stream)
  if (known) known.set(row.first, row)
  else table.set(row.stream, new Map([[row.first, row]]))
}

function remove<Row>(table: ByNumber<Row>, stream: string, from: number, to: number): void {
  const known = table.get(stream)
  for (const first of known?.keys() ?? []) if (first >= from && first <= to) known?.delete(first)
  if (known?.size === 0) table.delete(stream)
}
