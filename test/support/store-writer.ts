/**
 * Writes into a store until it is killed, and prints each acknowledgement: `<stream> <highest number> ok`.
 * Usage: node store-writer.ts <path> <round>
 */
import { writeSync } from 'node:fs'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { events, request, streamId, take } from '../contract/relay-store-kit.ts'

const [path, round] = process.argv.slice(2)
const store = openSqliteStore({ path: path as string, clock: Date.now })

async function write(n: number): Promise<never> {
  const stream = streamId(Number(round) * 100 + n)
  for (let first = 0; ; first += 20) {
    await store.accept(request(events(first, first + 19, { stream })))
    writeSync(1, `${stream} ${first + 19} ok\n`)
  }
}

/** Deliveries are cut and settled at the same time, so that kills hit those transactions too. */
async function forward(): Promise<never> {
  for (;;) {
    const delivery = await take(store, { maxEvents: 100, nowMs: Date.now() })
    if (delivery) await store.acceptDelivery(delivery.id, Date.now())
  }
}

await Promise.all([write(1), write(2), write(3), forward()])
