import { expect, test } from 'vitest'
import { nodeParts } from '../../src/agent/node-parts.ts'
import { closeOrphans } from '../../src/agent/orphans.ts'
import { drain, expectEachOnce, missing, openWorkplace, sleep, stored } from './support/crew.ts'
import { type RecorderProcess, startRecorder } from './support/recorder-process.ts'

const IS_LONG = Boolean(process.env.METERTAP_LONG)
const KILLS = IS_LONG ? 100 : 8
const MAX_LIFE_MS = 700
const LIMIT_MS = IS_LONG ? 900_000 : 120_000

/** Answers that are lost, and refusals, so that kills meet every state. */
const TROUBLES = [undefined, 'lost', 503, undefined] as const

/** Windows that were open in streams whose owner died: their numbers wait for the window's end. */
function openWindows(folder: string): Record<string, number> {
  const rows = stored(folder, 'SELECT stream, count(*) AS n FROM rollups GROUP BY stream')
  return Object.fromEntries(rows.map(({ stream, n }) => [stream, n as number]))
}

test(`kill -9 at ${KILLS} random moments: no durable event is lost, none comes as two`, {
  timeout: LIMIT_MS,
}, async () => {
  const place = await openWorkplace()
  const processes: RecorderProcess[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    place.relay.faults.push(...TROUBLES)
    const recorder = startRecorder(place.folder, place.url, { flushIntervalMs: 20 })
    processes.push(recorder)
    recorder.tell('tireless')
    // One in four dies while it starts.
    if (Math.random() < 0.75) await recorder.says('durable')
    await sleep(Math.random() * MAX_LIFE_MS)
    expect(await recorder.kill()).toEqual({ code: null, signal: 'SIGKILL' })
  }
  place.relay.faults.length = 0
  await drain(place)
  expectEachOnce(place, processes)
  // And nothing that was given a number is missing without a trace.
  expect(missing(place)).toEqual(openWindows(place.folder))
  const { events, requests } = place.relay
  console.info(
    `${KILLS} kills: ${events.size} events, ${requests.length} requests, ${processes.flatMap((each) => each.durable).length} durable`,
  )
})

test(`of two processes on one folder one is killed, ${KILLS / 2} times: the other sends for both, soon`, {
  timeout: LIMIT_MS,
}, async () => {
  const place = await openWorkplace()
  const options = { flushIntervalMs: 20 }
  const living = startRecorder(place.folder, place.url, options)
  const processes = [living]
  living.tell('tireless')
  for (let kill = 0; kill < KILLS / 2; kill++) {
    place.relay.faults.push(...TROUBLES)
    const dying = startRecorder(place.folder, place.url, options)
    processes.push(dying)
    dying.tell('tireless')
    await dying.says('durable')
    await sleep(Math.random() * MAX_LIFE_MS)
    await dying.kill()
    // By the living one alone, and long before a lease would have ended by time.
    await expect.poll(() => dying.durable.filter((id) => !place.relay.events.has(id))).toEqual([])
  }
  place.relay.faults.length = 0
  await living.kill()
  await drain(place)
  expectEachOnce(place, processes)
  expect(missing(place)).toEqual(openWindows(place.folder))
})

test('a window of the living stays open; one of a killed process is closed by the others', async () => {
  const { folder, url } = await openWorkplace()
  const owner = startRecorder(folder, url)
  owner.tell('sum 2')
  owner.tell('sum 3')
  owner.tell('record')
  await owner.says('recorded')
  const { runtime, openOutbox } = nodeParts({ folder, outbox: 'metertap' })
  const watch = { onDegraded: () => {}, onRecovered: () => {}, onTrouble: () => {} }
  const outbox = openOutbox('metertap', watch)
  const afterItsEnd = { outbox, locks: runtime.locks, own: 'another', nowMs: Date.now() + 120_000 }
  expect(await closeOrphans(afterItsEnd)).toBe(0)
  await owner.kill()
  expect(await closeOrphans(afterItsEnd)).toBe(1)
  expect(stored(folder, `SELECT body FROM segments WHERE body LIKE '%sums%'`)).toMatchObject([
    { body: expect.stringContaining('{"n":5}') },
  ])
  await outbox.close()
})
