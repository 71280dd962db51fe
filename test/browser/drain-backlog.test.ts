import { expect, test } from 'vitest'
import * as z from 'zod'
import { startAgent } from '../../src/agent/create-agent.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import { BACKLOG_EVENTS, fillBacklog } from '../support/backlog.ts'
import { openPageRelay } from '../support/page-relay.ts'

/** The batch at work is 5 MiB, in all its forms; the backlog's texts are 60 MB and more. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024

/**
 * Live bytes: what is left when all garbage is gone. Chromium's flags make both calls possible. A collection within the
 * call takes whatever the stack may point to for live, buffers and messages of the browser too: 8 MiB on an idle machine,
 * more on a busy one. So it runs in a task of its own.
 */
async function liveBytes(): Promise<number> {
  const { gc, performance } = globalThis as unknown as {
    gc: (options: { type: 'major'; execution: 'async' }) => Promise<void>
    performance: { memory: { usedJSHeapSize: number } }
  }
  await gc({ type: 'major', execution: 'async' })
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

  const before = await liveBytes()
  let highest = before
  const calls = defineMeter('calls', z.object({ n: z.number() }))
  const options = { relay: 'https://relay.test', token: () => 'token', meters: [calls], outbox: name, account: 'acme' }
  const agent = startAgent(options, { runtime, openOutbox: open })
  let isDrained = false
  let looks = 0
  const looking = (async () => {
    for (; !isDrained; looks++) {
      highest = Math.max(highest, await liveBytes())
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  await expect.poll(() => relay.events, { timeout: 200_000, interval: 250 }).toBe(BACKLOG_EVENTS)
  await expect.poll(() => agent.stats().waiting).toBe(0)
  isDrained = true
  await looking
  const mebibytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1)
  console.log(
    `${relay.requests} requests, ${looks} looks; live heap ${mebibytes(before)} MiB, at most ${mebibytes(highest)} MiB`,
  )
  expect(looks).toBeGreaterThan(5)
  expect(highest - before).toBeLessThan(MAX_GROWTH_BYTES)
  await agent.close()
  indexedDB.deleteDatabase(name)
})
