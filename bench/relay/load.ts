/** The load client, a process of its own: makes its bodies first, then sends them over kept connections. */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { v7 } from 'uuid'
import { encodeBatch } from '../../src/wire/encode-batch.ts'
import { quantile } from '../harness/stats.ts'
import { makeEvents } from '../page/events.ts'
import { benchRequests } from '../subjects/meter.ts'
import type { LoadOrder, LoadResult } from './contract.ts'

interface Batch {
  readonly body: Buffer
  readonly stream: string
  readonly last: number
}

const pack = promisify(gzip)
const DIFFERENT_EVENTS = 5_000
const TEXTS = makeEvents(0, DIFFERENT_EVENTS).map(({ atMs, data }) => JSON.stringify([benchRequests.name, atMs, data]))

async function makeBatch(stream: string, nth: number, batchEvents: number): Promise<Batch> {
  const first = nth * batchEvents
  const from = first % DIFFERENT_EVENTS
  const segments = [{ stream, first, body: TEXTS.slice(from, from + batchEvents).join() }]
  const reports = [{ id: stream, recorded: first + batchEvents, dropped: {} }]
  const text = encodeBatch({ sentAtMs: Date.now(), device: stream, reports, segments })
  return { body: await pack(text, { level: 6 }), stream, last: first + batchEvents - 1 }
}

/** For each connection its batches, in order. */
async function makeAll({ tokens, batches, batchEvents }: LoadOrder): Promise<Batch[][]> {
  const perConnection = Math.ceil(batches / tokens.length)
  return Promise.all(
    tokens.map(async () => {
      const stream = v7()
      return Promise.all(Array.from({ length: perConnection }, (_, nth) => makeBatch(stream, nth, batchEvents)))
    }),
  )
}

function post(url: string, agent: Agent, token: string, body: Buffer): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'content-length': body.length,
    }
    const sent = request(`${url}/v1/events`, { method: 'POST', agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** A floor's answer names no ranges; a relay's has to cover what was sent. */
function isHeld(text: string, { stream, last }: Batch): boolean {
  const { received } = JSON.parse(text) as { received?: Record<string, [number, number][]> }
  return !received || (received[stream] ?? []).some(([from, to]) => from <= last && last <= to)
}

class Load {
  readonly #order: LoadOrder
  readonly #latencies: number[] = []
  #failures = 0
  #firstFailure: string | undefined

  constructor(order: LoadOrder) {
    this.#order = order
  }

  async run(): Promise<LoadResult> {
    const { tokens, batchEvents, perSecond } = this.#order
    const lists = await makeAll(this.#order)
    const agent = new Agent({ keepAlive: true, maxSockets: perSecond ? Number.POSITIVE_INFINITY : tokens.length })
    const startMs = performance.now()
    if (perSecond) await this.#onSchedule(lists, agent, perSecond)
    else await Promise.all(lists.map((list, nth) => this.#oneByOne(list, agent, tokens[nth] as string)))
    const elapsedMs = performance.now() - startMs
    agent.destroy()
    return {
      events: this.#latencies.length * batchEvents,
      elapsedMs,
      p50Ms: quantile(this.#latencies, 0.5),
      p99Ms: quantile(this.#latencies, 0.99),
      failures: this.#failures,
      ...(this.#firstFailure !== undefined && { firstFailure: this.#firstFailure }),
    }
  }

  async #oneByOne(list: readonly Batch[], agent: Agent, token: string): Promise<void> {
    for (const batch of list) await this.#send(batch, agent, token, performance.now())
  }

  /** Counts from when a request was due: a server that stalls does not make the client polite. */
  async #onSchedule(lists: readonly Batch[][], agent: Agent, perSecond: number): Promise<void> {
    const { tokens } = this.#order
    const startMs = performance.now()
    const sending: Promise<void>[] = []
    const rounds = lists[0]?.length ?? 0
    for (let nth = 0; nth < rounds * lists.length; nth++) {
      const dueMs = startMs + (nth * 1_000) / perSecond
      const waitMs = dueMs - performance.now()
      if (waitMs > 1) await delay(waitMs)
      const connection = nth % lists.length
      const batch = lists[connection]?.[Math.floor(nth / lists.length)]
      if (batch) sending.push(this.#send(batch, agent, tokens[connection] as string, dueMs))
    }
    await Promise.all(sending)
  }

  async #send(batch: Batch, agent: Agent, token: string, fromMs: number): Promise<void> {
    try {
      const { status, text } = await post(this.#order.url, agent, token, batch.body)
      if (status !== 200 || !isHeld(text, batch)) this.#fail(`${status}: ${text.slice(0, 300)}`)
    } catch (error) {
      this.#fail(String(error))
    }
    this.#latencies.push(performance.now() - fromMs)
  }

  #fail(what: string): void {
    this.#failures++
    this.#firstFailure ??= what
  }
}

process.on('message', async (order: LoadOrder) => process.send?.(await new Load(order).run()))
