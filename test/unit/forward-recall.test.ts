import { expect, test } from 'vitest'
import { createLaneMemory, type Rest } from '../../src/relay/forward/lane-memory.ts'
import { createLaneRecall } from '../../src/relay/forward/lane-recall.ts'

const memoryOf = () => createLaneMemory({ maxBytes: 900, maxCalls: 8 })
const GO_ON: Rest = { ms: 0, wakeable: false, state: 'sending' }

function bed() {
  const kept = new Map<string, string>()
  const writes: string[] = []
  let nowMs = 1_000
  const keepsakes = {
    read: async (lane: string) => kept.get(lane),
    async write(lane: string, text: string) {
      writes.push(text)
      kept.set(lane, text)
    },
  }
  const open = () => {
    const memory = memoryOf()
    return { memory, recall: createLaneRecall({ lane: 'calls', memory, clock: () => nowMs, keepsakes }) }
  }
  return { open, writes, pass: (ms: number) => (nowMs += ms) }
}

test('a lane that has learned nothing writes nothing', async () => {
  const { open, writes } = bed()
  const { memory, recall } = open()
  expect(await recall.recall()).toBeUndefined()
  await recall.remember(GO_ON)
  memory.calls = 5
  await recall.remember({ ms: 60_000, wakeable: true, state: 'idle' })
  await recall.remember({ ms: 200, wakeable: false, state: 'idle' })
  expect(writes).toEqual([])
})

test('what was learned is taken up by the next: the breaker, the failures, the size, and the rest as far as it is not over', async () => {
  const { open, writes, pass } = bed()
  const first = open()
  for (let i = 0; i < 25; i++) first.memory.breaker.mayBury()
  Object.assign(first.memory, { failures: 3, learnedMaxBytes: 400, wasPaused: true })
  const rest: Rest = { ms: 30_000, wakeable: false, state: 'backing_off', reason: 'HTTP 503' }
  await first.recall.remember(rest)
  pass(10_000)
  // Seen again, it ends when it was to end.
  await first.recall.remember({ ...rest, ms: 20_000 })
  expect(writes).toHaveLength(1)
  const second = open()
  expect(await second.recall.recall()).toMatchObject({
    ms: 20_000,
    wakeable: false,
    state: 'backing_off',
    reason: 'HTTP 503',
  })
  expect(second.memory.breaker.state).toBe('clearing')
  expect(second.memory.breaker.mayBury()).toBe(false)
  expect(second.memory).toMatchObject({ failures: 3, learnedMaxBytes: 400, wasPaused: true, calls: 0 })
  pass(60_000)
  expect(await open().recall.recall()).toBeUndefined()
  // A clock that was set back does not make it longer.
  pass(-1_000_000)
  expect((await open().recall.recall())?.ms).toBe(30_000)
})

test('what is mended is forgotten', async () => {
  const { open } = bed()
  const first = open()
  first.memory.failures = 2
  await first.recall.remember({ ms: 5_000, wakeable: false, state: 'backing_off' })
  first.memory.failures = 0
  await first.recall.remember(GO_ON)
  const second = open()
  expect(await second.recall.recall()).toBeUndefined()
  expect(second.memory).toMatchObject({ failures: 0 })
})
