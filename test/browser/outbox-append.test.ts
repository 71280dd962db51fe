import { expect, test } from 'vitest'
import type { AppendGroup } from '../../src/outbox/contract.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { CLAIM_ALL, events } from '../contract/outbox-kit.ts'
import { UsageOwner } from '../support/usage-owner.ts'

const EVENTS = 5_000
const ROUNDS = 20

/** The burst as one tick would leave it (5 segments, 1 group), as 100 ticks would, and as 5,000 would. */
const SHAPES = [
  { groups: 1, perSegment: 1_000 },
  { groups: 100, perSegment: 50 },
  { groups: 5_000, perSegment: 1 },
]

interface Cost {
  /** Within the calls: what the page's main thread waits for. */
  callMs: number
  totalMs: number
}

async function measure(write: (group: AppendGroup) => Promise<unknown>, groups: AppendGroup[]): Promise<Cost> {
  const start = performance.now()
  const writing = groups.map(write)
  const callMs = performance.now() - start
  await Promise.all(writing)
  return { callMs, totalMs: performance.now() - start }
}

/** The least code that stores the same rows as safely. */
function rawWriter(database: IDBDatabase): (group: AppendGroup) => Promise<void> {
  return ({ head, segments }) =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(['segments', 'streams'], 'readwrite', { durability: 'relaxed' })
      const rows = transaction.objectStore('segments')
      for (const segment of segments) rows.put(segment)
      transaction.objectStore('streams').put(head)
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error)
      transaction.commit()
    })
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number
}

test.each(SHAPES)('5,000 events in $groups group(s): the price over the least code', async ({ groups, perSegment }) => {
  const name = `append-${crypto.randomUUID()}`
  const outbox = await openIdbOutbox({
    ...{ name, indexedDB, random: () => crypto.randomUUID(), clock: () => CLAIM_ALL.nowMs },
  })
  const database = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(name)
    request.onsuccess = () => resolve(request.result)
  })
  const texts = events(EVENTS)
  const burst = (): AppendGroup[] => {
    const owner = new UsageOwner(crypto.randomUUID(), 'acme')
    const size = EVENTS / groups
    return Array.from({ length: groups }, (_, nth) =>
      owner.group(texts.slice(nth * size, (nth + 1) * size), { perSegment }),
    )
  }
  const raw = rawWriter(database)
  const costs = { append: [] as Cost[], raw: [] as Cost[] }
  const rounds = groups > 1_000 ? 4 : ROUNDS
  for (let round = 0; round < rounds; round++) {
    // By turns: the database grows, and who comes second meets more of it.
    const order = round % 2 === 0 ? (['append', 'raw'] as const) : (['raw', 'append'] as const)
    for (const which of order) costs[which].push(await measure(which === 'raw' ? raw : outbox.append, burst()))
  }
  const of = (which: 'append' | 'raw', what: keyof Cost) => median(costs[which].map((cost) => cost[what]))
  const line = (what: keyof Cost) =>
    `${what}: ${of('append', what).toFixed(2)} against ${of('raw', what).toFixed(2)} (×${(of('append', what) / of('raw', what)).toFixed(2)})`
  console.log(`5,000 events, ${groups} group(s): ${line('callMs')}, ${line('totalMs')}`)
  expect((await outbox.totals()).events).toBe(EVENTS * rounds * 2)
  database.close()
  await outbox.close()
  indexedDB.deleteDatabase(name)
})
