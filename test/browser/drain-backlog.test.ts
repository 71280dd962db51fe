import { expect, test } from 'vitest'
import * as z from 'zod'
import { startAgent } from '../../src/agent/create-agent.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import { BACKLOG_EVENTS, fillBacklog } from '../support/backlog.ts'
import { openPageRelay } from '../support/page-relay.ts'

const MAX_GROWTH_BYTES = 30 * 1024 * 1024

/** Live bytes: what is left when all garbage is gone. Chromium's flags make both calls possible. */
function liveBytes(): number {
  const { gc, performance } = globalThis as unknown as {
    gc: () => void
    performance: { memory: { usedJSHeapSize: number } }
  }
  gc()
  return performance.memory.usedJSHeapSize
}

test('draining a million events does not grow the heap', { timeout: 240_000 }, async () => {
  const name = `drain-${crypto.randomUUID()}`
  const relay = openPageRelay()
  const runtime = { ...browserRuntime(), fetch: relay.fetch }
  const open = () =>
    openIdbOutbox({ name, indexedDB, random: runtime.newStreamId, clock: runtime.now, setTimer: runtime.setTimer })
  const filler = await open()
  await fillBacklog(filler)
  await filler.close()

  const before = liveBytes()
  let highest = before
  const calls = defineMeter('calls', z.object({ n: z.number() }))
  const options = { relay: 'https://relay.test', token: () => 'token', meters: [calls], outbox: name, account: 'acme' }
  const agent = startAgent(options, { runtime, openOutbox: open })
  const look = setInterval(() => {
    highest = Math.max(highest, liveBytes())
  }, 250)
  await expect.poll(() => relay.events, { timeout: 200_000, interval: 250 }).toBe(BACKLOG_EVENTS)
  await expect.poll(() => agent.stats().waiting).toBe(0)
  clearInterval(look)
  const mebibytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1)
  console.log(`${relay.requests} requests; live heap ${mebibytes(before)} MiB, at most ${mebibytes(highest)} MiB`)
  expect(highest - before).toBeLessThan(MAX_GROWTH_BYTES)
  await agent.close()
  indexedDB.deleteDatabase(name)
})
