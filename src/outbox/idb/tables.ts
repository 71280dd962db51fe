import type { Segment } from '../contract.ts'
import type { SegmentKey, Tables } from '../core/tables.ts'
import type { Store, Transaction } from './schema.ts'
import type { Watch } from './transact.ts'

/** The stores that claims, settlements and overviews touch. */
export const TABLE_STORES: readonly Store[] = ['segments', 'streams', 'progress', 'hidden', 'dead']
export const ROLLUP_STORES: readonly Store[] = [...TABLE_STORES, 'rollups']
export const QUARANTINE_STORES: readonly Store[] = [...ROLLUP_STORES, 'quarantine']

/**
 * Segments are read several at once, since each answer costs a turn of the page's loop; few at first, since whoever reads
 * them may want no more.
 */
const FIRST_READ = 2
const MAX_READ = 32

const KEY_PATHS = {
  segments: ['stream', 'first'],
  streams: 'stream',
  progress: 'stream',
  hidden: ['stream', 'first'],
  rollups: ['stream', 'seq'],
} as const

/** The rows of an outbox in one IndexedDB transaction; a row can be touched when its store is one of the transaction's. */
export function idbTables(transaction: Transaction, watch: Watch): Tables {
  const store = <S extends Store>(name: S) => transaction.objectStore(name)
  return {
    heads: () => store('streams').getAll(),
    progress: () => store('progress').getAll(),
    hidden: () => store('hidden').getAll(),
    deadCount: () => store('dead').count(),
    async *segments(from, before, wanted) {
      let range = between(from ?? [], before)
      for (let count = FIRST_READ; ; ) {
        const rows: Segment[] = await store('segments').getAll(range, count)
        const unwanted = rows.findIndex((row) => isKeyed(row) && !wanted(row.stream))
        const isJump = unwanted >= 0
        yield* isJump ? rows.slice(0, unwanted) : rows
        const last = rows.at(unwanted)
        if (!last || (!isJump && rows.length < count)) return
        // From its last possible key on: there may be a row.
        range = between([last.stream, isJump ? Number.POSITIVE_INFINITY : last.first], before, !isJump)
        count = isJump ? FIRST_READ : Math.min(count * 2, MAX_READ)
      }
    },
    segmentsWithin: (stream, from, to) => store('segments').getAll(numbers(stream, from, to)),
    putSegment: (segment) => watch(store('segments').put(segment)),
    deleteSegments: (stream, from, to) => watch(store('segments').delete(numbers(stream, from, to))),
    putHidden: (row) => watch(store('hidden').put(row)),
    deleteHidden: (stream, from, to) => watch(store('hidden').delete(numbers(stream, from, to))),
    putHead: (head) => watch(store('streams').put(head)),
    putProgress: (row) => watch(store('progress').put(row)),
    dead: (stream, seq) => store('dead').get([stream, seq]),
    putDead: (letter) => watch(store('dead').put(letter)),
    deleteDead: (stream, seq) => watch(store('dead').delete([stream, seq])),
    rollups: () => store('rollups').getAll(),
    putRollup: (rollup) => watch(store('rollups').put(rollup)),
    deleteRollup: (stream, seq) => watch(store('rollups').delete([stream, seq])),
    sameRow: (name, row) => store(name).get(keyOf(KEY_PATHS[name], row) as never),
    quarantine: (found) => {
      watch(store('quarantine').add(found))
      watch(store(found.store).delete(keyOf(KEY_PATHS[found.store], found.row) as never))
    },
    deleteStream: (stream) => {
      watch(store('streams').delete(stream))
      watch(store('progress').delete(stream))
    },
  }
}

/** [] sorts before every other key that a segment's row can have. */
function between(from: SegmentKey | [], before: SegmentKey | undefined, isAfter = false): IDBKeyRange {
  return before ? IDBKeyRange.bound(from, before, isAfter, true) : IDBKeyRange.lowerBound(from, isAfter)
}

/** Only behind such a row's key the stream's last one can be jumped to: other code's rows may have any key. */
function isKeyed({ stream, first }: Segment): boolean {
  return typeof stream === 'string' && typeof first === 'number' && first < Number.POSITIVE_INFINITY
}

function keyOf(path: string | readonly string[], row: unknown): IDBValidKey {
  const field = (name: string) => (row as Record<string, IDBValidKey>)[name] as IDBValidKey
  return typeof path === 'string' ? field(path) : path.map(field)
}

function numbers(stream: string, from: number, to: number): IDBKeyRange {
  return IDBKeyRange.bound([stream, from], [stream, to])
}
