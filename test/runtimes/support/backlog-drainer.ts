/**
 * Fills an outbox on Node, then drains it, in a process of its own. Says in two lines of JSON how the heap was after the
 * filling, and at its highest during the drain, garbage collected each time.
 * Usage: node --expose-gc backlog-drainer.ts <folder> <relay origin> <events>
 */
import * as z from 'zod'
import { createAgent, defineMeter } from '../../../src/node.ts'

const [folder = '', relay = '', count = '0'] = process.argv.slice(2)
const events = Number(count)
const calls = defineMeter('calls', z.object({ n: z.int(), path: z.string() }))
const options = { folder, relay, meters: [calls], maxOutboxBytes: 2_000_000_000, token: () => 'token' }

const heapBytes = () => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
const say = (facts: object) => console.log(JSON.stringify(facts))

const filler = createAgent(options)
filler.pause('filling')
for (let n = 0; n < events; ) {
  let last: Promise<unknown> = Promise.resolve()
  for (const end = Math.min(n + 500, events); n < end; n++) {
    last = filler.record(calls, { n, path: `/v1/projects/${n % 997}/exports` }).durable
  }
  await last
}
await filler.close()
say({ heapBytes: heapBytes() })

const drainer = createAgent(options)
let maxHeapBytes = 0
let settlements = 0
const startMs = performance.now()
drainer.on('settled', () => {
  if (settlements++ % 25 === 0) maxHeapBytes = Math.max(maxHeapBytes, heapBytes())
})
do await drainer.flush()
while (drainer.stats().waiting > 0)
say({ waiting: drainer.stats().waiting, maxHeapBytes, ms: Math.round(performance.now() - startMs), settlements })
await drainer.close()
