import { expect, test } from 'vitest'
import { drain, expectEachOnce, openWorkplace, stored } from './support/crew.ts'
import { startRecorder } from './support/recorder-process.ts'

const NEVER = { flushIntervalMs: 3_600_000 }
const DAY_MS = 86_400_000

test('a clock that is set back by a day holds nothing up: neither what was put off, nor what is leased', async () => {
  const place = await openWorkplace()
  const recorder = startRecorder(place.folder, place.url, NEVER)
  recorder.tell(`clock ${DAY_MS}`)
  await recorder.says('clock')
  // The relay wants the first five later, and takes none of them.
  place.relay.rejects = () => ({ code: 'later', detail: 'not now' })
  place.relay.answer = (answer) => {
    const { rejected } = answer as { rejected: { stream: string; seq: number }[] }
    return {
      ...answer,
      rejected: [],
      retry: rejected.map(({ stream, seq }) => ({ stream, from: seq, to: seq, delayMs: 3_600_000 })),
    }
  }
  recorder.tell('record 5')
  await recorder.says('recorded')
  recorder.tell('flush')
  await recorder.says('flushed')
  expect(stored(place.folder, 'SELECT count(*) AS n FROM hidden')).not.toEqual([{ n: 0 }])
  place.relay.rejects = () => undefined
  // In flight, with a lease that ends tomorrow, when the process dies.
  place.relay.faults.push(() => new Promise(() => {}))
  recorder.tell('record 3')
  await expect.poll(() => recorder.durable.length).toBe(8)
  const before = place.relay.requests.length
  recorder.tell('flush')
  await expect.poll(() => place.relay.requests.length).toBe(before + 1)
  await recorder.kill()
  // By a process whose clock is right.
  await drain(place)
  expectEachOnce(place, [recorder])
})

test('set back under a running process, it changes nothing for what that process sends', async () => {
  const place = await openWorkplace()
  const recorder = startRecorder(place.folder, place.url, { flushIntervalMs: 50 })
  recorder.tell('record 5')
  await recorder.says('recorded')
  await expect.poll(() => place.relay.events.size).toBe(5)
  recorder.tell(`clock ${-DAY_MS}`)
  recorder.tell('record 5')
  await expect.poll(() => recorder.durable.length).toBe(10)
  await expect.poll(() => place.relay.events.size).toBe(10)
  expectEachOnce(place, [recorder])
})
