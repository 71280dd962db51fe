import { expect, test } from 'vitest'
import { openWorkplace, sleep, statsOf, stored } from './support/crew.ts'
import { startRecorder } from './support/recorder-process.ts'

/** Longer than any test: what goes out goes out because the process ends. */
const NEVER = { flushIntervalMs: 3_600_000 }

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: what waits is sent, and the process ends by the signal',
  async (signal) => {
    const { folder, url, relay } = await openWorkplace()
    const recorder = startRecorder(folder, url, NEVER)
    recorder.tell('record 25')
    recorder.tell('sum 4')
    await recorder.says('recorded')
    await expect.poll(async () => (await statsOf(recorder)).openWindows).toBe(1)
    expect(relay.events.size).toBe(0)
    expect(await recorder.kill(signal)).toEqual({ code: null, signal })
    // The open window too, as it is.
    expect(relay.events.size).toBe(26)
    expect([...relay.events.values()]).toContainEqual(['sums', expect.any(Number), { n: 4 }])
  },
)

test('a signal waits no longer than it may for a relay that hangs, and everything is kept', async () => {
  const { folder, url, relay } = await openWorkplace()
  relay.faults.push(() => new Promise(() => {}))
  const recorder = startRecorder(folder, url, { ...NEVER, exitFlushMs: 5_000 })
  recorder.tell('record 5')
  await recorder.says('recorded')
  expect(await recorder.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' })
  expect(relay.requests).toHaveLength(1)
  expect(stored(folder, 'SELECT sum(count) AS n FROM segments')).toEqual([{ n: 5 }])
})

test('a second signal ends the process at once', async () => {
  const { folder, url, relay } = await openWorkplace()
  relay.faults.push(() => new Promise(() => {}))
  const recorder = startRecorder(folder, url, { ...NEVER, exitFlushMs: 600_000 })
  recorder.tell('record 5')
  await recorder.says('recorded')
  process.kill(recorder.pid, 'SIGTERM')
  await expect.poll(() => relay.requests.length).toBe(1)
  expect(await recorder.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' })
})

test('where the application listens itself, ending is its business, and what waits is sent', async () => {
  const { folder, url, relay } = await openWorkplace()
  const recorder = startRecorder(folder, url, NEVER)
  recorder.tell('listen')
  recorder.tell('record 5')
  await recorder.says('recorded')
  expect(await recorder.kill('SIGTERM')).toEqual({ code: 7, signal: null })
  expect(relay.events.size).toBe(5)
})

test('without signals the process dies as it always would, and everything is kept', async () => {
  const { folder, url, relay } = await openWorkplace()
  const recorder = startRecorder(folder, url, { ...NEVER, signals: [] })
  recorder.tell('record 5')
  await recorder.says('recorded')
  expect(await recorder.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' })
  expect(relay.events.size).toBe(0)
  expect(stored(folder, 'SELECT sum(count) AS n FROM segments')).toEqual([{ n: 5 }])
})

test('process.exit() in the step that records: the event is kept', async () => {
  const { folder, url } = await openWorkplace()
  const recorder = startRecorder(folder, url, NEVER)
  recorder.tell('sum 6')
  recorder.tell('exit')
  expect(await recorder.ended).toEqual({ code: 0, signal: null })
  const id = recorder.lines.find((line) => line.startsWith('recorded-last'))?.split(' ')[1] as string
  const [stream, first] = [id.slice(0, id.lastIndexOf('-')), Number(id.slice(id.lastIndexOf('-') + 1))]
  const rows = stored(folder, 'SELECT stream, first, body FROM segments ORDER BY first')
  expect(rows).toContainEqual({ stream, first, body: expect.stringContaining('"calls"') })
  // The window that was open has become an event, in the same last step.
  expect(rows).toContainEqual({ stream, first: 0, body: expect.stringContaining('{"n":6}') })
})

test('a process with nothing left to do sends what waits, and ends', async () => {
  const { folder, url, relay } = await openWorkplace()
  const recorder = startRecorder(folder, url, NEVER)
  recorder.tell('record 5')
  recorder.tell('sum 1')
  await recorder.says('recorded')
  recorder.tell('finish')
  expect(await recorder.ended).toEqual({ code: 0, signal: null })
  expect(relay.events.size).toBe(6)
})

test('nor does a relay that hangs, or is away, keep it alive', async () => {
  const place = await openWorkplace()
  place.relay.faults.push(() => new Promise(() => {}))
  const first = startRecorder(place.folder, place.url, { ...NEVER, exitFlushMs: 300 })
  first.tell('record 5')
  await first.says('recorded')
  first.tell('finish')
  expect(await first.ended).toEqual({ code: 0, signal: null })
  place.isDown = true
  const second = startRecorder(place.folder, place.url, NEVER)
  second.tell('record 5')
  await second.says('recorded')
  second.tell('finish')
  expect(await second.ended).toEqual({ code: 0, signal: null })
  expect(stored(place.folder, 'SELECT sum(count) AS n FROM segments')).toEqual([{ n: 10 }])
})

test('an agent that has nothing to send keeps no process alive, nor one that waits for its next try', async () => {
  const place = await openWorkplace()
  place.isDown = true
  const recorder = startRecorder(place.folder, place.url, { flushIntervalMs: 10 })
  recorder.tell('record 5')
  await recorder.says('trouble')
  await sleep(50)
  recorder.tell('finish')
  expect(await recorder.ended).toEqual({ code: 0, signal: null })
  const idle = startRecorder(place.folder, place.url)
  await idle.says('ready')
  idle.tell('finish')
  expect(await idle.ended).toEqual({ code: 0, signal: null })
})
