import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { v7 } from 'uuid'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AcceptableEvent, RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'

const IS_LONG = process.env.METERTAP_LONG !== undefined
const EVENTS_PER_BATCH = 20
const MEASURED_BATCHES = 150
/** Machines have their moods; a cost that grew with what was accepted would show as far more. */
const MAX_RATIO = 2

describe('what the relay has accepted costs nothing afterwards', () => {
  let folder: string
  let stores: { store: RelayStore; path: string }[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'metertap-flat-'))
    stores = []
  })
  afterEach(async () => {
    for (const { store } of stores) await store.close()
    rmSync(folder, { recursive: true })
  })

  function open(name: string): { store: RelayStore; path: string } {
    const path = join(folder, name)
    const opened = { store: openSqliteStore({ path, clock: Date.now }), path }
    stores.push(opened)
    return opened
  }

  function batch(
    stream: string,
    first: number,
    count: number,
    parts: (seq: number) => Partial<AcceptableEvent> = () => ({}),
  ) {
    const events = Array.from({ length: count }, (_, i) => ({
      ...{ stream, seq: first + i, meter: 'calls', atMs: 1_700_000_000_000, data: '{"quantity":1}' },
      ...parts(first + i),
    }))
    const who = { tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: Date.now() }
    return { ...who, streams: [{ id: stream, recorded: first + count, dropped: {} }], events, refused: [] }
  }

  /** Accepts and forwards so many events in all, each stream's in batches. */
  async function fill(store: RelayStore, streams: number, perStream: number): Promise<void> {
    for (let n = 0; n < streams; ) {
      const group: Promise<unknown>[] = []
      for (; n < streams && group.length < 100; n++) {
        const stream = v7()
        for (let first = 0; first < perStream; first += 5_000) {
          group.push(store.accept(batch(stream, first, Math.min(5_000, perStream - first))))
        }
      }
      await Promise.all(group)
      await forward(store)
    }
  }

  /** A new file's first commits are slow, since its write-ahead log still grows. */
  function warmUp(store: RelayStore): Promise<void> {
    return fill(store, 100, 1_000)
  }

  async function forward(store: RelayStore): Promise<void> {
    for (;;) {
      const delivery = await store.openDelivery(
        { lane: 'calls', owner: 'o1', leaseMs: 60_000, nowMs: Date.now(), maxEvents: 10_000 },
        (list) => ({ taken: list.length, body: new Uint8Array(1), rows: list.length, bytes: 1, unmappable: [] }),
      )
      if (!delivery) return
      await store.acceptDelivery(delivery.id, Date.now())
    }
  }

  /** Median ms of accepting small batches, by turns, so that the machine's moods hit all alike. */
  async function costs(
    of: readonly RelayStore[],
    parts?: (seq: number) => Partial<AcceptableEvent>,
  ): Promise<number[]> {
    const streams = of.map(() => v7())
    const times = of.map((): number[] => [])
    for (let n = 0; n < MEASURED_BATCHES; n++) {
      const entries = [...of.entries()]
      for (const [index, store] of n % 2 ? entries : entries.toReversed()) {
        const request = batch(streams[index] as string, n * EVENTS_PER_BATCH, EVENTS_PER_BATCH, parts)
        const began = performance.now()
        await store.accept(request)
        times[index]?.push(performance.now() - began)
      }
    }
    return times.map((list) => list.toSorted((a, b) => a - b)[MEASURED_BATCHES / 2] as number)
  }

  function bytesOf(path: string, tables: string): number {
    const db = new DatabaseSync(path, { readOnly: true })
    try {
      return Number(db.prepare(`SELECT sum(pgsize) AS bytes FROM dbstat WHERE name GLOB ?`).get(tables)?.bytes ?? 0)
    } finally {
      db.close()
    }
  }

  test('accepting is as fast after millions of events as at the start, and memory stays', async () => {
    const streams = IS_LONG ? 2_000 : 200
    const perStream = 1_000
    const [fresh, full] = [open('fresh.db'), open('full.db')]
    await fill(full.store, streams / 10, perStream)
    const heapBefore = heapBytes()
    await fill(full.store, streams, perStream)
    const heapGrowth = heapBytes() - heapBefore
    await warmUp(fresh.store)
    const [freshMs = 1, fullMs = 1] = await costs([fresh.store, full.store])
    const events = (streams * perStream * 1.1).toLocaleString('en')
    console.info(
      `accepting after ${events} events costs ${(fullMs / freshMs).toFixed(2)} of what it costs at the start`,
    )
    console.info(`heap growth over them: ${(heapGrowth / 2 ** 20).toFixed(1)} MiB`)
    expect(fullMs / freshMs).toBeLessThan(MAX_RATIO)
    expect(heapGrowth).toBeLessThan(16 * 2 ** 20)
    // What is settled has left the file.
    expect(bytesOf(full.path, 'chunks')).toBeLessThan(10 * 2 ** 20)
  })

  test('accepting is as fast beside very many streams', async () => {
    const streams = IS_LONG ? 200_000 : 20_000
    const [fresh, full] = [open('fresh.db'), open('full.db')]
    await fill(full.store, streams, 2)
    await warmUp(fresh.store)
    const [freshMs = 1, fullMs = 1] = await costs([fresh.store, full.store])
    const ratio = (fullMs / freshMs).toFixed(2)
    console.info(`accepting beside ${streams.toLocaleString('en')} streams costs ${ratio} of what it costs beside none`)
    expect(fullMs / freshMs).toBeLessThan(MAX_RATIO)
  })

  test('de-duplication takes a few hundred bytes for each stream, however many events it had', async () => {
    const streams = IS_LONG ? 5_000 : 500
    const perStream = IS_LONG ? 2_000 : 1_000
    const [short, long] = [open('short.db'), open('long.db')]
    await fill(short.store, streams, 1)
    await fill(long.store, streams, perStream)
    const [shortBytes, longBytes] = [short, long].map(({ path }) => bytesOf(path, 'streams*') / streams) as [
      number,
      number,
    ]
    console.info(`bytes per stream: ${shortBytes.toFixed(0)} with 1 event, ${longBytes.toFixed(0)} with ${perStream}`)
    expect(longBytes).toBeLessThan(500)
    expect(longBytes / shortBytes).toBeLessThan(1.2)
  })

  test('idempotency keys take some bytes each, and looking one up costs the same beside many', async () => {
    const keys = IS_LONG ? 500_000 : 50_000
    const [fresh, full] = [open('fresh.db'), open('full.db')]
    const stream = v7()
    for (let first = 0; first < keys; first += 5_000) {
      await full.store.accept(batch(stream, first, 5_000, (seq) => ({ idempotencyKey: `order ${seq}` })))
    }
    await forward(full.store)
    await warmUp(fresh.store)
    const [freshMs = 1, fullMs = 1] = await costs([fresh.store, full.store], (seq) => ({
      idempotencyKey: `new ${seq}`,
    }))
    const bytes = bytesOf(full.path, 'keys_*') / keys
    const ratio = (fullMs / freshMs).toFixed(2)
    console.info(`${bytes.toFixed(0)} bytes per key; beside ${keys.toLocaleString('en')} keys accepting costs ${ratio}`)
    expect(fullMs / freshMs).toBeLessThan(MAX_RATIO)
    expect(bytes).toBeLessThan(150)
  })
})

function heapBytes(): number {
  setFlagsFromString('--expose_gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}
