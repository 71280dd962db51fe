import type { Segment } from '../contract.ts'
import type { SegmentKey, Tables } from '../core/tables.ts'
import type { Copies } from './copies.ts'
import type { Store, Transaction } from './schema.ts'

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
/** Keys cost little. */
const KEYS_READ = 64

const KEY_PATHS = {
  segments: ['stream', 'first'],
  streams: 'stream',
  progress: 'stream',
  hidden: ['stream', 'first'],
  rollups: ['stream', 'seq'],
} as const

/**
 * The rows of an outbox in one IndexedDB transaction; a row can be touched when its store is one of the transaction's.
 * `bare`: the same transaction, see transact().
 */
export function idbTables(transaction: Transaction, bare: IDBTransaction, copies: Copies): Tables {
  const read = <S extends Store>(name: S) => transaction.objectStore(name)
  const store = (name: Store) => bare.objectStore(name)
  const put = (name: Store, row: unknown) => void store(name).put(row)

  /** The rows as they are stored. */
  async function* rowsFrom(from: SegmentKey | [], before: SegmentKey | undefined, wanted: (stream: string) => boolean) {
    let range = between(from, before)
    for (let count = FIRST_READ; ; ) {
      const rows: Segment[] = await read('segments').getAll(range, count)
      const unwanted = rows.findIndex((row) => isKeyed(row) && !wanted(row.stream))
      const isJump = unwanted >= 0
      yield* isJump ? rows.slice(0, unwanted) : rows
      const last = rows.at(unwanted)
      if (!last || (!isJump && rows.length < count)) return
      // From its last possible key on: there may be a row.
      range = between([last.stream, isJump ? Number.POSITIVE_INFINITY : last.first], before, !isJump)
      count = isJump ? FIRST_READ : Math.min(count * 2, MAX_READ)
    }
  }

  return {
    heads: () => read('streams').getAll(),
    progress: () => read('progress').getAll(),
    hidden: () => read('hidden').getAll(),
    deadCount: () => read('dead').count(),
    async *segments(from, before, wanted, isIntact) {
      if (!isIntact || copies.isEmpty) return yield* rowsFrom(from ?? [], before, wanted)
      const keys: SegmentKey[] = await read('segments').getAllKeys(between(from ?? [], before), KEYS_READ)
      for (const [nth, key] of keys.entries()) {
        const copy = copies.of(key)
        // A part of the copy may be put off by now: then this range ends with it.
        const next = keys[nth + 1] ?? (keys.length === KEYS_READ ? key : before)
        const isSound = copy && wanted(copy.stream) && isIntact(copy) && !reaches(copy, next)
        if (!isSound) return yield* rowsFrom(key, before, wanted)
        yield copy
      }
    },
    segmentsWithin: (stream, from, to) => read('segments').getAll(numbers(stream, from, to)),
    putSegment: (segment) => {
      copies.forget(segment.stream, segment.first, segment.first)
      put('segments', segment)
    },
    deleteSegments: (stream, from, to) => {
      copies.forget(stream, from, to)
      store('segments').delete(numbers(stream, from, to))
    },
    putHidden: (row) => put('hidden', row),
    deleteHidden: (stream, from, to) => void store('hidden').delete(numbers(stream, from, to)),
    putHead: (head) => put('streams', head),
    putProgress: (row) => put('progress', row),
    dead: (stream, seq) => read('dead').get([stream, seq]),
    putDead: (letter) => put('dead', letter),
    deleteDead: (stream, seq) => void store('dead').delete([stream, seq]),
    rollups: () => read('rollups').getAll(),
    putRollup: (rollup) => put('rollups', rollup),
    deleteRollup: (stream, seq) => void store('rollups').delete([stream, seq]),
    sameRow: (name, row) => read(name).get(keyOf(KEY_PATHS[name], row) as never),
    quarantine: (found) => {
      store('quarantine').add(found)
      store(found.store).delete(keyOf(KEY_PATHS[found.store], found.row))
    },
    deleteStream: (stream) => {
      store('streams').delete(stream)
      store('progress').delete(stream)
    },
  }
}

/** [] sorts before every other key that a segment's row can have. */
function between(from: SegmentKey | [], before: SegmentKey | undefined, isAfter = false): IDBKeyRange {
  return before ? IDBKeyRange.bound(from, before, isAfter, true) : IDBKeyRange.lowerBound(from, isAfter)
}

/** Whether a row that is stored under the next key holds numbers of this segment: then it was cut since. */
function reaches({ stream, first, count }: Segment, next: SegmentKey | undefined): boolean {
  return next !== undefined && next[0] === stream && next[1] < first + count
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
