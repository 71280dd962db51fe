import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { type WireBatch, wireBatch } from '../../src/wire/contract.ts'
import { serveRelay } from '../support/http-relay.ts'
import { testFolder } from '../support/sqlite-home.ts'

const EVENTS = process.env.METERTAP_LONG ? 1_000_000 : 50_000
const DRAINER = fileURLToPath(new URL('./support/backlog-drainer.ts', import.meta.url))
/** What the drain may add to the heap at its highest, whatever the backlog; of the long form alone it would be 100 MB and more. */
const MAX_GROWTH_BYTES = 64 * 1024 * 1024

test(`a backlog of ${EVENTS} events drains within a small heap`, { timeout: 1_200_000 }, async () => {
  let received = 0
  const { url, close } = await serveRelay(async (input) => {
    const { streams, segments } = await batchOf(input as Request)
    const ranges: Record<string, [number, number][]> = Object.fromEntries(streams.map(({ id }) => [id, []]))
    for (const { stream, first, events } of segments as { stream: string; first: number; events: unknown[] }[]) {
      ranges[stream]?.push([first, first + events.length - 1])
      received += events.length
    }
    return Response.json({ received: ranges, rejected: [], retry: [], serverTime: Date.now() })
  })
  onTestFinished(close)
  const child = spawn(process.execPath, ['--expose-gc', DRAINER, testFolder(), url, String(EVENTS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said: Record<string, number>[] = []
  for await (const line of createInterface({ input: child.stdout })) said.push(JSON.parse(line))
  const [filled, drained] = said as [Record<string, number>, Record<string, number>]
  expect(drained).toMatchObject({ waiting: 0 })
  expect(received).toBe(EVENTS)
  expect(drained.maxHeapBytes, JSON.stringify(said)).toBeLessThan((filled.heapBytes ?? 0) + MAX_GROWTH_BYTES)
  console.info(`${EVENTS} events: ${JSON.stringify({ filled, drained })}`)
})

async function batchOf(request: Request): Promise<WireBatch> {
  const packed = request.body as ReadableStream<Uint8Array<ArrayBuffer>>
  return wireBatch.parse(await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).json())
}
