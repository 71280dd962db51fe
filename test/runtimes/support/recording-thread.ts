/** A worker thread with an agent: workerData is [folder, relay, count]. Posts the ids of what it recorded, then waits. */
import { parentPort, workerData } from 'node:worker_threads'
import * as z from 'zod'
import { createAgent, defineMeter } from '../../../src/node.ts'

const [folder, relay, count] = workerData as [string, string, number]
const calls = defineMeter('calls', z.object({ n: z.int() }))
const usage = createAgent({ folder, relay, token: () => 'token', meters: [calls], flushIntervalMs: 20 })
const receipts = Array.from({ length: count }, (_, n) => usage.record(calls, { n }))
await Promise.all(receipts.map(({ durable }) => durable))
parentPort?.postMessage(receipts.map(({ id }) => id))
setInterval(() => usage.stats(), 1_000)
