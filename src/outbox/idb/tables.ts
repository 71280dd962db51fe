import type { Tables } from '../core/tables.ts'
import type { Store, Transaction } from './schema.ts'
import type { Watch } from './transact.ts'

/** Every store that Tables touches. */
export const TABLE_STORES: readonly Store[] = ['segments', 'streams', 'progress', 'hidden', 'dead']

/** The rows of an outbox in one IndexedDB transaction over TABLE_STORES. */
export function idbTables(transaction: Transaction, watch: Watch): Tables {
  const segments = transaction.objectStore('segments')
  const streams = transaction.objectStore('streams')
  const progress = transaction.objectStore('progress')
  const hidden = transaction.objectStore('hidden')
  const dead = transaction.objectStore('dead')
  return {
    heads: () => streams.getAll(),
    progress: () => progress.getAll(),
    hidden: () => hidden.getAll(),
    deadCount: () => dead.count(),
    async *segments(from, before, wanted) {
      // [] sorts before every key and [[]] behind: an array is greater than any string.
      let cursor = await segments.openCursor(IDBKeyRange.bound(from ?? [], before ?? [[]], false, true))
      while (cursor) {
        const [stream] = cursor.key
        if (wanted(stream)) yield cursor.value
        cursor = await (wanted(stream) ? cursor.continue() : cursor.continue([stream, Number.POSITIVE_INFINITY]))
      }
    },
    segmentsWithin: (stream, from, to) => segments.getAll(numbers(stream, from, to)),
    putSegment: (segment) => watch(segments.put(segment)),
    deleteSegments: (stream, from, to) => watch(segments.delete(numbers(stream, from, to))),
    putHidden: (row) => watch(hidden.put(row)),
    deleteHidden: (stream, from, to) => watch(hidden.delete(numbers(stream, from, to))),
    putProgress: (row) => watch(progress.put(row)),
    putDead: (letter) => watch(dead.put(letter)),
    deleteStream: (stream) => {
      watch(streams.delete(stream))
      watch(progress.delete(stream))
    },
  }
}

function numbers(stream: string, from: number, to: number): IDBKeyRange {
  return IDBKeyRange.bound([stream, from], [stream, to])
}
