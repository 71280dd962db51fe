import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAgent } from '../../src/index.ts'
import { type AgentHome, deskOf, METERS } from '../contract/agent.ts'
import { eventually, expected, numbersById, recordCalls } from '../contract/agent-kit.ts'
import { answerLine, fetchOverLine } from '../support/relay-line.ts'
import { TinyRelay } from '../support/tiny-relay.ts'
import type { Order } from './worker/desk.ts'

type Recorded = { readonly ids: readonly string[]; readonly durable: readonly string[] }
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never
type Line = Pick<MessagePort, 'postMessage'> & EventTarget

/** Puts orders to a worker and waits for its answers. */
function orders(line: Line): <T = void>(order: Unnumbered<Order>) => Promise<T> {
  let asked = 0
  return <T>(order: Unnumbered<Order>) => {
    const id = ++asked
    const answered = new Promise<T>((resolve, reject) => {
      line.addEventListener('message', (event) => {
        const { data } = event as MessageEvent<{ id: number; result: T; error?: string }>
        if (data.id !== id) return
        if (data.error === undefined) resolve(data.result)
        else reject(new Error(data.error))
      })
    })
    line.postMessage({ id, ...order })
    return answered
  }
}

describe('an agent in a worker', () => {
  const realFetch = globalThis.fetch
  let relay: AgentHome['relay']
  let outbox: string
  let line: string
  let ends: (() => unknown)[] = []

  beforeEach(() => {
    const desk = deskOf(new TinyRelay())
    relay = desk
    outbox = `workers-${crypto.randomUUID()}`
    line = `line-${outbox}`
    ends = [answerLine(line, desk.fetch)]
  })
  afterEach(async () => {
    for (const end of ends.reverse()) await end()
    globalThis.fetch = realFetch
    expect(await relay.conflicts()).toEqual([])
  })

  async function dedicated() {
    const worker = new Worker(new URL('./worker/dedicated.ts', import.meta.url), { type: 'module' })
    ends.push(() => worker.terminate())
    const order = orders(worker)
    await order({ kind: 'start', line, outbox })
    return { worker, order }
  }

  async function shared() {
    const { port } = new SharedWorker(new URL('./worker/shared.ts', import.meta.url), { type: 'module', name: outbox })
    port.start()
    const order = orders(port)
    await order({ kind: 'start', line, outbox })
    return order
  }

  function tab() {
    globalThis.fetch = fetchOverLine(line)
    const options = { relay: 'https://relay.test', token: () => 'token-1', meters: METERS }
    const agent = createAgent({ ...options, outbox, flushIntervalMs: 100 })
    ends.push(() => agent.close())
    return agent
  }

  async function arrived(ids: readonly string[]): Promise<void> {
    await eventually(async () => expect(await numbersById(relay)).toEqual(expected(ids)))
  }

  test('records durably and delivers: dedicated', async () => {
    const { order } = await dedicated()
    const { ids, durable } = await order<Recorded>({ kind: 'record', from: 0, count: 10 })
    expect(durable).toEqual(['process'])
    await order({ kind: 'flush' })
    await arrived(ids)
    await order({ kind: 'close' })
  })

  test('records durably and delivers: shared, for all who ask it', async () => {
    const [one, other] = [await shared(), await shared()]
    const first = await one<Recorded>({ kind: 'record', from: 0, count: 10 })
    const second = await other<Recorded>({ kind: 'record', from: 10, count: 10 })
    expect(first.durable).toEqual(['process'])
    await arrived([...first.ids, ...second.ids])
    const streams = new Set([...first.ids, ...second.ids].map((id) => id.slice(0, 36)))
    expect(streams.size, 'one agent').toBe(1)
    await one({ kind: 'close' })
  })

  test('shares the outbox with its page and other workers: everything once', async () => {
    const agent = tab()
    const { order } = await dedicated()
    const ask = await shared()
    const [own, theirs, others] = await Promise.all([
      recordCalls(agent, 20),
      order<Recorded>({ kind: 'record', from: 20, count: 20 }),
      ask<Recorded>({ kind: 'record', from: 40, count: 20 }),
    ])
    await arrived([...own, ...theirs.ids, ...others.ids])
    await eventually(() => expect(agent.stats().waiting).toBe(0))
    await ask({ kind: 'close' })
  })

  test('that is terminated leaves its events to the page', async () => {
    const agent = tab()
    await relay.setDown(true)
    const { worker, order } = await dedicated()
    const { ids } = await order<Recorded>({ kind: 'record', from: 0, count: 20 })
    worker.terminate()
    await relay.setDown(false)
    await agent.flush()
    await arrived(ids)
  })
})
