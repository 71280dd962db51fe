import { v7 } from 'uuid'
import { migratePostgresStore } from '../../../src/relay/store/postgres/migrate-postgres-store.ts'
import { openPostgresStore } from '../../../src/relay/store/postgres/open-postgres-store.ts'
import { benchRequests } from '../../subjects/meter.ts'
import type { Found, Place } from './contract.ts'
import { readWal } from './wal.ts'

const ROWS_AT_ONCE = 500
const REQUESTS = 40

/** What PostgreSQL keeps: bytes for each stream, for each idempotency key, and for each event while it waits. */
export async function measureKeep({ database, tell }: Place): Promise<Found> {
  tell('what PostgreSQL keeps')
  const schema = 'kept'
  await migratePostgresStore({ url: database.url, schema })
  const store = openPostgresStore({ url: database.url, schema, clock: Date.now })
  await store.check()
  const data = JSON.stringify({ n: 1 })
  const accept = (streams: readonly string[], first: number, count: number, key?: string): Promise<unknown> =>
    store.accept({
      ...{ tenant: 'default', account: 'account-1', device: 'device-1', receivedAtMs: Date.now(), refused: [] },
      streams: streams.map((id) => ({ id, recorded: first + count, dropped: {} })),
      events: streams.flatMap((stream) =>
        Array.from({ length: count }, (_, n) => ({
          ...{ stream, seq: first + n, meter: benchRequests.name, atMs: Date.now(), data },
          ...(key === undefined ? {} : { idempotencyKey: `${key} ${n}` }),
        })),
      ),
    })
  const sizeOf = async (name: string): Promise<number> => {
    const [row] = await database.query<{ size: string }>(
      `SELECT sum(pg_total_relation_size(c.oid)) AS size FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
      WHERE c.oid = '"${schema}".${name}'::regclass OR i.inhparent = '"${schema}".${name}'::regclass`,
    )
    return Number(row?.size)
  }
  try {
    const before = await readWal(database)
    for (let n = 0; n < REQUESTS; n++)
      await accept(
        Array.from({ length: ROWS_AT_ONCE }, () => v7()),
        0,
        1,
      )
    const streams = await readWal(database)
    const rows = ROWS_AT_ONCE * REQUESTS
    const streamBytes = (await sizeOf('streams')) / rows
    const keyed = v7()
    for (let n = 0; n < REQUESTS; n++) await accept([keyed], n * ROWS_AT_ONCE, ROWS_AT_ONCE, `order ${n}`)
    const keys = await readWal(database)
    const plain = v7()
    for (let n = 0; n < REQUESTS; n++) await accept([plain], n * ROWS_AT_ONCE, ROWS_AT_ONCE)
    const plainly = await readWal(database)
    return {
      'postgres.streamBytes': streamBytes,
      'postgres.streamWalBytes': (streams.walBytes - before.walBytes) / rows,
      'postgres.keyBytes': (await sizeOf('keys')) / rows,
      'postgres.keyWalBytes': (keys.walBytes - streams.walBytes - (plainly.walBytes - keys.walBytes)) / rows,
    }
  } finally {
    await store.close()
    await database.dropSchema(schema)
  }
}
