import { expect, test } from 'vitest'
import * as z from 'zod'
import { startAgent } from '../../src/agent/create-agent.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import { openPageRelay } from '../support/page-relay.ts'
import { makeUsageLines } from '../support/usage-lines.ts'

const EVENTS = 5_000
const requests = defineMeter(
  'web_requests',
  z.object({
    visitor: z.string(),
    method: z.string(),
    path: z.string(),
    status: z.int(),
    bytes: z.int(),
    browser: z.string(),
  }),
)

/** For whatever might still come. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 300))
}

interface Counted {
  /** Of each transaction. */
  readonly modes: string[]
  /** Requests that read segments with their texts. */
  readonly bodies: number
  restore(): void
}

function countTransactions(): Counted {
  const modes: string[] = []
  let bodies = 0
  const original = IDBDatabase.prototype.transaction
  const getAll = IDBObjectStore.prototype.getAll
  IDBObjectStore.prototype.getAll = function (this: IDBObjectStore, ...parameters: Parameters<typeof getAll>) {
    if (this.name === 'segments') bodies++
    return getAll.apply(this, parameters)
  }
  IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...parameters: Parameters<typeof original>) {
    modes.push(parameters[1] ?? 'readonly')
    return original.apply(this, parameters)
  }
  return {
    modes,
    get bodies() {
      return bodies
    },
    restore: () => {
      IDBDatabase.prototype.transaction = original
      IDBObjectStore.prototype.getAll = getAll
    },
  }
}

async function startOn(fetch: typeof globalThis.fetch, name: string) {
  const runtime = { ...browserRuntime(), fetch }
  const { indexedDB, newStreamId: random, now: clock } = runtime
  const openOutbox = () => openIdbOutbox({ name, indexedDB, random, clock })
  const options = { relay: 'https://relay.test', token: () => 'token', meters: [requests], outbox: name }
  const agent = startAgent(options, { runtime, openOutbox })
  await agent.streams()
  return agent
}

test('a burst is one transaction, and few requests', async () => {
  const relay = openPageRelay()
  const agent = await startOn(relay.fetch, `budget-${crypto.randomUUID()}`)
  await expect.poll(() => agent.stats().sender).toBe(true)
  // Until it has looked around.
  await quiet()
  const counted = countTransactions()
  const receipts = makeUsageLines(EVENTS).map(({ at, ...data }) => agent.record(requests, data, { at: Date.parse(at) }))
  expect(counted.modes, 'nothing is written in the task that records').toEqual([])
  await null
  expect(counted.modes, 'the whole burst is one group commit').toEqual(['readwrite'])
  expect(await receipts.at(-1)?.durable).toBe('process')
  await expect.poll(() => agent.stats().accepted).toBe(EVENTS)
  await quiet()
  counted.restore()
  expect(relay.requests).toBe(3)
  const wanted = ['readwrite', 'readonly', 'readwrite', 'readwrite', 'readwrite']
  expect(counted.modes, 'the group, the first claim, and one for each answer').toEqual(wanted)
  expect(counted.bodies, 'what this page has stored itself is not read again').toBe(0)
  await agent.close()
})

test('an event alone is three transactions, from record() until it is counted as sent', async () => {
  const relay = openPageRelay()
  const agent = await startOn(relay.fetch, `budget-${crypto.randomUUID()}`)
  await expect.poll(() => agent.stats().sender).toBe(true)
  // Until it has looked around.
  await quiet()
  const counted = countTransactions()
  const [line] = makeUsageLines(1)
  const { at, ...data } = line as NonNullable<typeof line>
  await agent.record(requests, data, { at: Date.parse(at) }).durable
  await agent.flush()
  await expect.poll(() => agent.stats().waiting).toBe(0)
  await quiet()
  counted.restore()
  expect(agent.stats()).toMatchObject({ accepted: 1, waitingBytes: 0 })
  expect(counted.modes).toEqual(['readwrite', 'readonly', 'readwrite'])
  await agent.close()
})

test('events recorded one by one cost one transaction a task', async () => {
  const relay = openPageRelay()
  const agent = await startOn(relay.fetch, `budget-${crypto.randomUUID()}`)
  agent.pause('test')
  const counted = countTransactions()
  for (const { at, ...data } of makeUsageLines(100)) {
    await agent.record(requests, data, { at: Date.parse(at) }).durable
  }
  counted.restore()
  // Looks at the counters may come in between.
  expect(counted.modes.filter((mode) => mode === 'readwrite')).toHaveLength(100)
  await agent.close()
})
