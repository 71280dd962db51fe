/**
 * The edge relay's shard in workerd beside the relay on Node, in the same run: events a second, and bytes on disk.
 * Usage: node bench/edge.ts [--quick]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { v7 } from 'uuid'
import { createGrant } from '../src/relay.ts'
import { startZuoraStandIn } from '../src/zuora-stand-in/server.ts'
import { createMortalEdge, createMortalRelay, type MortalRelay } from '../test/relay/support/kill-again.ts'
import { ADMIN_KEY, GRANT_SECRET } from '../test/support/addresses.ts'
import { callsMeter } from '../test/support/calls-upstream.ts'
import { interleave } from './harness/rounds.ts'
import { median } from './harness/stats.ts'

const isQuick = process.argv.includes('--quick')
const ROUNDS = isQuick ? 2 : 5
const CONNECTIONS = 8
const SIZES = [50, 500, 5_000]
const EVENTS_PER_ROUND = isQuick ? 20_000 : 60_000
const STREAMS = isQuick ? 2_000 : 10_000
const NOWHERE = 'http://127.0.0.1:9'

const folder = mkdtempSync(join(tmpdir(), 'metertap-edge-bench-'))

async function tokenOf(url: string, account: string): Promise<string> {
  const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, account, device: 'd', meters: ['calls'] })
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`${url}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
  return ((await response.json()) as { token: string }).token
}

function bodyOf(segments: readonly { stream: string; first: number; count: number }[]): Uint8Array<ArrayBuffer> {
  const sentAt = Date.now()
  const events = (first: number, count: number) =>
    Array.from({ length: count }, (_, i) => ['calls', sentAt + i, { quantity: first + i }])
  return gzipSync(
    JSON.stringify({
      ...{ v: 1, sentAt, device: 'd' },
      streams: segments.map(({ stream, first, count }) => ({ id: stream, recorded: first + count, dropped: {} })),
      segments: segments.map(({ stream, first, count }) => ({ stream, first, events: events(first, count) })),
    }),
  )
}

async function post(url: string, token: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', Authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/v1/events`, { method: 'POST', headers, body })
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  await response.arrayBuffer()
}

/** Events a second over so many connections; bodies are made before the clock runs. */
async function measure(relay: MortalRelay, tokens: readonly string[], batchEvents: number): Promise<number> {
  const { url } = await relay.addresses()
  const perConnection = Math.max(1, Math.round(EVENTS_PER_ROUND / batchEvents / CONNECTIONS))
  const lists = tokens.map(() => {
    const stream = v7()
    return Array.from({ length: perConnection }, (_, n) =>
      bodyOf([{ stream, first: n * batchEvents, count: batchEvents }]),
    )
  })
  const begunMs = performance.now()
  await Promise.all(
    lists.map(async (bodies, i) => {
      for (const body of bodies) await post(url, tokens[i] as string, body)
    }),
  )
  return (perConnection * CONNECTIONS * batchEvents) / ((performance.now() - begunMs) / 1_000)
}

async function shardBytes(relay: MortalRelay): Promise<number> {
  const { adminUrl } = await relay.addresses()
  const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
  const text = await (await fetch(`${adminUrl}/metrics`, { headers })).text()
  return [...text.matchAll(/^metertap_shard_bytes\{.*\} (\d+)$/gm)].reduce((sum, [, size]) => sum + Number(size), 0)
}

async function settled(relay: MortalRelay): Promise<void> {
  for (;;) {
    const { received, forwarded } = await relay.totals()
    if (received === forwarded) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function throughput(): Promise<number> {
  const relays = {
    node: createMortalRelay(join(folder, 'node.db'), NOWHERE),
    edge: createMortalEdge(join(folder, 'edge'), NOWHERE, 1),
  }
  const names = ['node', 'edge'] as const
  try {
    const tokens = { node: [] as string[], edge: [] as string[] }
    for (const name of names) {
      await relays[name].start().listens
      const { url } = await relays[name].addresses()
      for (let i = 0; i < CONNECTIONS; i++) tokens[name].push(await tokenOf(url, `account-${i}`))
      await measure(relays[name], tokens[name], 500)
    }
    console.log('events in a batch | Node, events/s | one shard in workerd, events/s | ratio')
    let events = 0
    const before = await shardBytes(relays.edge)
    for (const size of SIZES) {
      const runs = await interleave(names, { rounds: ROUNDS }, (name) => measure(relays[name], tokens[name], size))
      const perRound = Math.max(1, Math.round(EVENTS_PER_ROUND / size / CONNECTIONS)) * CONNECTIONS * size
      events += perRound * runs.edge.length
      const [node, edge] = [median(runs.node), median(runs.edge)]
      const ratios = runs.node.map((rate, i) => (runs.edge[i] as number) / rate)
      console.log(`${size} | ${Math.round(node)} | ${Math.round(edge)} | ${median(ratios).toFixed(2)}`)
    }
    const bytes = (await shardBytes(relays.edge)) - before
    console.log(`bytes that an event takes in a shard while it waits: ${(bytes / events).toFixed(1)}`)
    return bytes
  } finally {
    for (const name of names) await relays[name].kill()
  }
}

async function perStream(): Promise<void> {
  const clients = [{ clientId: 'id', clientSecret: 'client-secret' }]
  const zuora = await startZuoraStandIn({ clients, meters: [callsMeter('calls')], keepRows: false })
  const edge = createMortalEdge(join(folder, 'streams'), zuora.url, 1)
  try {
    await edge.start().listens
    const { url } = await edge.addresses()
    const token = await tokenOf(url, 'acme')
    const before = await shardBytes(edge)
    const calls = zuora.ledger.calls().length
    for (let done = 0; done < STREAMS; done += 500) {
      await post(url, token, bodyOf(Array.from({ length: 500 }, () => ({ stream: v7(), first: 0, count: 1 }))))
    }
    await settled(edge)
    console.log(`bytes that a stream keeps for good: ${(((await shardBytes(edge)) - before) / STREAMS).toFixed(1)}`)
    console.log(`upstream calls for ${STREAMS / 500} batches: ${zuora.ledger.calls().length - calls}`)
  } finally {
    await edge.kill()
    await zuora.close()
  }
}

try {
  await throughput()
  await perStream()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
