import type { DeadLetter, Hidden, Quarantined, Rollup, Segment, StreamHead } from '../contract.ts'
import type { Progress, Tables } from '../core/tables.ts'

/** The rows of an outbox in plain maps. */
export interface MemoryRows {
  readonly heads: Map<string, StreamHead>
  readonly progress: Map<string, Progress>
  /** By stream, then by first number. */
  readonly segments: Map<string, Map<number, Segment>>
  readonly hidden: Map<string, Map<number, Hidden>>
  readonly dead: Map<string, DeadLetter>
  readonly rollups: Map<string, Rollup>
  readonly quarantined: Quarantined[]
}

export function memoryRows(): MemoryRows {
  return {
    heads: new Map(),
    progress: new Map(),
    segments: new Map(),
    hidden: new Map(),
    dead: new Map(),
    rollups: new Map(),
    quarantined: [],
  }
}

/** The key of a dead letter or a roll-up. */
export function eventKey({ stream, seq }: Pick<DeadLetter, 'stream' | 'seq'>): string {
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
    putHead: (head) => void rows.heads.set(head.stream, head),
    putProgress: (progress) => void rows.progress.set(progress.stream, progress),
    dead: async (stream, seq) => rows.dead.get(eventKey({ stream, seq })),
    putDead: (letter) => void rows.dead.set(eventKey(letter), letter),
    deleteDead: (stream, seq) => void rows.dead.delete(eventKey({ stream, seq })),
    rollups: async () => [...rows.rollups.values()].sort(byNumber),
    putRollup: (rollup) => void rows.rollups.set(eventKey(rollup), rollup),
    deleteRollup: (stream, seq) => void rows.rollups.delete(eventKey({ stream, seq })),
    // Only segments and roll-ups come from outside; the other rows are made here.
    sameRow: async (store, row) =>
      store === 'rollups'
        ? rows.rollups.get(eventKey(row as Rollup))
        : rows.segments.get((row as Segment).stream)?.get((row as Segment).first),
    quarantine: (found) => {
      rows.quarantined.push(found)
      if (found.store === 'rollups') rows.rollups.delete(eventKey(found.row as Rollup))
      const { stream, first } = found.row as Segment
      if (found.store !== 'segments') return
      remove(rows.segments, stream, first, first)
      remove(rows.hidden, stream, first, first)
    },
    deleteStream: (stream) => {
      rows.heads.delete(stream)
      rows.progress.delete(stream)
    },
  }
}

/** The order in which IndexedDB would give them. */
export function byNumber(a: Pick<DeadLetter, 'stream' | 'seq'>, b: Pick<DeadLetter, 'stream' | 'seq'>): number {
  if (a.stream === b.stream) return a.seq - b.seq
  return a.stream < b.stream ? -1 : 1
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
