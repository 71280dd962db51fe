import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb'
import type { DeadLetter, Hidden, Quarantined, Rollup, Segment, StreamHead } from '../contract.ts'
import type { Progress } from '../core/tables.ts'

/** Raise it with a migration in createStores(); never change what an older version wrote. */
export const SCHEMA_VERSION = 1

export interface Schema extends DBSchema {
  segments: { key: [stream: string, first: number]; value: Segment }
  streams: { key: string; value: StreamHead }
  progress: { key: string; value: Progress }
  hidden: { key: [stream: string, first: number]; value: Hidden }
  dead: { key: [stream: string, seq: number]; value: DeadLetter }
  rollups: { key: [stream: string, seq: number]; value: Rollup }
  quarantine: { key: number; value: Quarantined }
  meta: { key: string; value: string }
}

export type Store = StoreNames<Schema>
export type Database = IDBPDatabase<Schema>
/** Typed for writing; a read-only one simply is not written to. */
export type Transaction = IDBPTransaction<Schema, Store[], 'readwrite'>

export function createStores(database: IDBDatabase): void {
  database.createObjectStore('segments', { keyPath: ['stream', 'first'] })
  database.createObjectStore('streams', { keyPath: 'stream' })
  database.createObjectStore('progress', { keyPath: 'stream' })
  database.createObjectStore('hidden', { keyPath: ['stream', 'first'] })
  database.createObjectStore('dead', { keyPath: ['stream', 'seq'] })
  database.createObjectStore('rollups', { keyPath: ['stream', 'seq'] })
  database.createObjectStore('quarantine', { autoIncrement: true })
  database.createObjectStore('meta')
}
