import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { mountSmallVolume } from '../matrix/engines/small-volume.ts'
import { missing, openWorkplace, statsOf, stored } from './support/crew.ts'
import { type RecorderProcess, startRecorder } from './support/recorder-process.ts'

const NEVER = { flushIntervalMs: 3_600_000 }

const idsOf = ({ lines }: RecorderProcess) =>
  lines.filter((line) => line.startsWith('durable ')).map((line) => line.split(' ')[1] as string)
const durabilities = ({ lines }: RecorderProcess) =>
  new Set(lines.filter((line) => line.startsWith('durable ')).map((line) => line.split(' ')[2]))

/** Flushes until nothing waits any more. */
async function flushAll(recorder: RecorderProcess): Promise<void> {
  await expect
    .poll(
      async () => {
        recorder.tell('flush')
        return (await statsOf(recorder)).waiting
      },
      { timeout: 40_000, interval: 100 },
    )
    .toBe(0)
}

test('a full disk: what does not fit is held in memory and says so; all of it arrives, and recording goes on', async (context) => {
  const volume = mkdtempSync(join(tmpdir(), 'metertap-small-'))
  const unmount = await mountSmallVolume(volume, 12).catch((error) => context.skip(String(error)))
  onTestFinished(async () => {
    await unmount()
    rmSync(volume, { recursive: true, force: true })
  })
  const place = await openWorkplace(join(volume, 'usage'))
  place.isDown = true
  const recorder = startRecorder(place.folder, place.url, { flushIntervalMs: 100 })
  recorder.tell('pad 50000 220')
  await recorder.says('recorded')
  expect(JSON.parse((await recorder.says('degraded')).slice(9))).toMatchObject({
    code: 'outbox_full',
    detail: expect.stringContaining('Events are kept in memory and end with this process.'),
  })
  expect(durabilities(recorder)).toEqual(new Set(['process', 'memory']))
  place.isDown = false
  await flushAll(recorder)
  expect(recorder.durable.filter((id) => !place.relay.events.has(id))).toEqual([])
  expect(place.relay.conflicts).toEqual([])
  await recorder.says('recovered')
  recorder.tell('record')
  await recorder.says('recorded 1')
  expect(recorder.lines.findLast((line) => line.startsWith('durable '))).toMatch(/ process$/)
})

test.each([
  ['is no database', (file: string) => writeFileSync(file, 'x'.repeat(10_000))],
  ['has lost its head', (file: string) => scribble(file, 0)],
])(
  'a file that %s is set aside: recording goes on in a new one, and the application hears of it',
  async (_, damage) => {
    const place = await openWorkplace()
    const first = startRecorder(place.folder, place.url, NEVER)
    first.tell('record 3')
    await first.says('recorded')
    await first.kill()
    for (const name of readdirSync(place.folder)) if (/-(wal|shm)$/.test(name)) rmSync(join(place.folder, name))
    damage(join(place.folder, 'metertap.db'))
    const second = startRecorder(place.folder, place.url, NEVER)
    const trouble = JSON.parse((await second.says('trouble')).slice(8)) as { code: string; detail: string }
    expect(trouble).toMatchObject({ code: 'outbox_unavailable', detail: expect.stringContaining('was damaged') })
    second.tell('record 2')
    await second.says('recorded')
    expect(durabilities(second)).toEqual(new Set(['process']))
    expect(readdirSync(place.folder).filter((name) => name.includes('.damaged-'))).toHaveLength(1)
    await flushAll(second)
    expect(idsOf(second).filter((id) => !place.relay.events.has(id))).toEqual([])
  },
)

test('damage that shows while it is used: what can be read is taken over and arrives, and nothing recorded since is lost', async () => {
  const place = await openWorkplace()
  place.isDown = true
  const first = startRecorder(place.folder, place.url, NEVER)
  first.tell('pad 20000 40')
  await first.says('recorded')
  first.tell('close')
  await first.says('closed')
  await first.kill()
  const file = join(place.folder, 'metertap.db')
  // In the middle of the events: what is before it and behind it can be read.
  scribble(file, Math.floor(statSync(file).size / 2 / 4096) * 4096)
  place.isDown = false
  const second = startRecorder(place.folder, place.url, NEVER)
  second.tell('record 2')
  await second.says('recorded')
  await expect
    .poll(() => {
      second.tell('flush')
      return readdirSync(place.folder).filter((name) => name.includes('.damaged-')).length
    })
    .toBeGreaterThan(0)
  second.tell('record 3')
  await expect.poll(() => second.durable.length).toBe(5)
  await expect
    .poll(() => {
      second.tell('flush')
      return second.durable.filter((id) => !place.relay.events.has(id))
    })
    .toEqual([])
  expect(readdirSync(place.folder).filter((name) => name.includes('.damaged-'))).toHaveLength(1)
  const arrived = first.durable.filter((id) => place.relay.events.has(id))
  expect(arrived.length).toBeGreaterThan(30)
  expect(place.relay.conflicts).toEqual([])
  // What was lost is declared, so nothing waits for it, and nothing is missing without a trace.
  await flushAll(second)
  expect(missing(place)).toEqual({})
  const lost = [...place.relay.dropped.values()].reduce((sum, { corrupt = 0 }) => sum + corrupt, 0)
  expect(lost).toBe(first.durable.length - arrived.length)
})

test('a folder that cannot be used is told with what to do, and used as soon as it can be', async () => {
  const place = await openWorkplace()
  const target = join(place.folder, 'target')
  const folder = join(place.folder, 'link')
  // Leads nowhere: as a disk that is not mounted yet.
  symlinkSync(target, folder)
  const recorder = startRecorder(folder, place.url, NEVER)
  recorder.tell('record 2')
  await recorder.says('recorded')
  expect(durabilities(recorder)).toEqual(new Set(['memory']))
  expect(JSON.parse((await recorder.says('degraded')).slice(9))).toMatchObject({
    code: 'outbox_unavailable',
    detail: expect.stringMatching(/cannot be opened .*Give a folder on a local disk/),
  })
  rmSync(folder)
  await expect
    .poll(
      () => {
        recorder.tell('record')
        return recorder.lines.some((line) => line.startsWith('recovered'))
      },
      { interval: 300 },
    )
    .toBe(true)
  recorder.tell('record')
  await expect.poll(() => durabilities(recorder).has('process')).toBe(true)
  await flushAll(recorder)
  expect(recorder.durable.filter((id) => !place.relay.events.has(id))).toEqual([])
  expect(
    stored(folder, "SELECT settled FROM (SELECT sum(json_extract(row, '$.settled')) AS settled FROM progress)"),
  ).toEqual([{ settled: recorder.durable.length }])
})

/** Writes rubbish over one page. */
function scribble(file: string, at: number): void {
  const handle = openSync(file, 'r+')
  try {
    writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, at)
  } finally {
    closeSync(handle)
  }
}

test('a file cut short is set aside, too', async () => {
  const place = await openWorkplace()
  const first = startRecorder(place.folder, place.url, NEVER)
  first.tell('record 3')
  await first.says('recorded')
  first.tell('close')
  await first.says('closed')
  await first.kill()
  truncateSync(join(place.folder, 'metertap.db'), 6_000)
  const second = startRecorder(place.folder, place.url, NEVER)
  second.tell('record 2')
  await second.says('recorded')
  await expect.poll(() => second.durable.length).toBe(2)
  await flushAll(second)
  expect(second.durable.filter((id) => !place.relay.events.has(id))).toEqual([])
})
