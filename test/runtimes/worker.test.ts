import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openWorkerWorld, type RunningWorker, type WorkerWorld } from './support/worker-world.ts'

const FIXTURE = join(import.meta.dirname, 'support/worker-fixture.ts')
const WAIT = { timeout: 30_000, interval: 20 }
const KILLS = process.env.METERTAP_LONG ? 100 : 5

interface Answer {
  readonly ids: readonly string[]
  readonly durable: readonly string[]
}

async function ask(worker: RunningWorker, path: string): Promise<Answer> {
  const response = await fetch(`${worker.url}${path}`)
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

describe('a Worker in bare workerd', () => {
  let world: WorkerWorld
  let worker: RunningWorker
  beforeAll(async () => {
    world = await openWorkerWorld(FIXTURE)
    worker = await world.start()
  })
  afterEach(() => {
    world.isDown = false
    expect(world.relay.conflicts).toEqual([])
  })
  afterAll(() => world.end())

  test('has none of what the agent must do without', async () => {
    const response = await fetch(`${worker.url}/features`)
    expect(await response.json()).toEqual(['CompressionStream'])
  })

  test('delivers what a handler recorded that waited for nothing', async () => {
    const { ids } = await ask(worker, '/fire?n=1&count=3')
    await vi.waitFor(() => expect(world.relay.ids).toEqual(expect.arrayContaining([...ids])), WAIT)
  })

  test('its requests share a stream, whoever is first', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => ask(worker, `/record?n=${n}&count=2&account=b`)),
    )
    const ids = answers.flatMap(({ ids }) => ids)
    expect(new Set(ids).size).toBe(80)
    expect(new Set(ids.map((id) => id.slice(0, 36))).size).toBe(1)
    expect(new Set(answers.flatMap(({ durable }) => durable))).toEqual(new Set(['power']))
    await vi.waitFor(() => expect(world.relay.ids).toEqual(expect.arrayContaining(ids)), WAIT)
    for (const id of ids) expect(world.relay.tokens.get(id)).toBe('token-of-b')
    expect(world.relay.recorded.get(ids[0]?.slice(0, 36) ?? '')).toBe(80)
  })

  test('without a Durable Object delivers from memory, and one request takes on what another left', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => ask(worker, `/record?memory&n=${n}&account=c`)),
    )
    expect(new Set(answers.flatMap(({ durable }) => durable))).toEqual(new Set(['memory']))
    const ids = answers.flatMap(({ ids }) => ids)
    expect(new Set(ids.map((id) => id.slice(0, 36))).size).toBe(1)
    await vi.waitFor(() => expect(world.relay.ids).toEqual(expect.arrayContaining(ids)), WAIT)
  })
})

describe('workerd killed at work', () => {
  let world: WorkerWorld
  beforeAll(async () => {
    world = await openWorkerWorld(FIXTURE)
  })
  afterAll(() => world.end())

  test('objects and alarms outlive it: what waited arrives without another request', async () => {
    world.isDown = true
    const worker = await world.start()
    const { ids, durable } = await ask(worker, '/record?count=5')
    expect(new Set(durable)).toEqual(new Set(['power']))
    await worker.kill()
    world.isDown = false
    const next = await world.start()
    await vi.waitFor(() => expect(world.relay.ids).toEqual(expect.arrayContaining([...ids])), WAIT)
    await next.kill()
  })

  test(`at ${KILLS} random moments: no durable event is lost, none is doubled`, async () => {
    const kept: string[] = []
    let n = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const worker = await world.start()
      let isOver = false
      const client = async () => {
        while (!isOver) {
          const answer = await ask(worker, `/record?n=${n++}&count=3&account=account-${n % 3}`).catch(() => undefined)
          if (answer?.durable.every((each) => each === 'power')) kept.push(...answer.ids)
          else if (!answer) await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      const clients = Promise.all([client(), client(), client(), client()])
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400))
      if (kill % 3 === 0) world.relay.faults.push('lost', 503)
      await worker.kill()
      isOver = true
      await clients
    }
    expect(kept.length).toBeGreaterThan(0)
    const last = await world.start()
    const missing = () => kept.filter((id) => !world.relay.events.has(id))
    await vi.waitFor(() => expect(missing()).toEqual([]), { ...WAIT, timeout: 60_000 })
    expect(world.relay.conflicts).toEqual([])
    await last.kill()
  }, 900_000)
})
