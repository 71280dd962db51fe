import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { createAgent } from '../../src/node.ts'
import { calls } from '../contract/agent-kit.ts'
import { openWorkplace } from './support/crew.ts'

const THREAD = fileURLToPath(new URL('./support/recording-thread.ts', import.meta.url))

test('worker threads and their parent share a folder: each event arrives once, also of a thread that is terminated', async () => {
  const { folder, url, relay } = await openWorkplace()
  const threads = Array.from({ length: 3 }, () => new Worker(THREAD, { workerData: [folder, url, 200] }))
  onTestFinished(async () => void (await Promise.all(threads.map((thread) => thread.terminate()))))
  const recorded = threads.map((thread) => new Promise<string[]>((resolve) => thread.once('message', resolve)))
  const usage = createAgent({ folder, relay: url, token: () => 'token', meters: [calls], flushIntervalMs: 20 })
  const own = Array.from({ length: 200 }, (_, n) => usage.record(calls, { n }).id as string)
  // As soon as its events are durable, whatever of them is in flight.
  const first = (await recorded[0]) as string[]
  await threads[0]?.terminate()
  const ids = [...own, ...first, ...(await Promise.all(recorded)).flat()]
  await expect.poll(() => ids.filter((id) => !relay.events.has(id)), { timeout: 30_000 }).toEqual([])
  expect(relay.events.size).toBe(800)
  expect(relay.conflicts).toEqual([])
  await usage.close()
})
