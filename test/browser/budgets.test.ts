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

function countTransactions(): { readonly modes: string[]; restore(): void } {
  const modes: string[] = []
  const original = IDBDatabase.prototype.transaction
  IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...parameters: Parameters<typeof original>) {
    modes.push(parameters[1] ?? 'readonly')
    return original.apply(this, parameters)
  }
  return {
    modes,
    restore: () => {
      IDBDatabase.prototype.transaction = original
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
  const counted = countTransactions()
  const receipts = makeUsageLines(EVENTS).map(({ at, ...data }) => agent.record(requests, data, { at: Date.parse(at) }))
  expect(counted.modes, 'nothing is written in the task that records').toEqual([])
  await null
  expect(counted.modes, 'the whole burst is one group commit').toEqual(['readwrite'])
  expect(await receipts.at(-1)?.durable).toBe('process')
  await expect.poll(() => agent.stats().accepted).toBe(EVENTS)
  counted.restore()
  const writes = counted.modes.filter((mode) => mode === 'readwrite').length
  expect(relay.requests).toBeLessThanOrEqual(12)
  expect(writes, 'one for the group, one for each answer').toBeLessThanOrEqual(1 + relay.requests)
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
