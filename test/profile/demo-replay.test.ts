import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requireEngine } from '../support/engines.ts'

const ROOT = new URL('../../', import.meta.url).pathname
/** Nearly 10,000 lines of a real web server's log, where they are at hand. */
const REAL_FILE = join(ROOT, '../shared/data/web-requests.ndjson')
const REAL_EVENTS = 9_999
const REAL_BYTES = 2_747_282_505

let folder: string
beforeAll(async () => {
  requireEngine('chromium')
  folder = await mkdtemp(join(tmpdir(), 'metertap-replay-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A small seeded generator (a linear congruential one), 0 ≤ next() < 1. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function generateEvents(count: number): { readonly bytes: number; readonly [field: string]: unknown }[] {
  const random = seeded(42)
  const oneOf = <T>(...list: T[]): T => list[Math.floor(random() * list.length)] as T
  return Array.from({ length: count }, (_, index) => ({
    at: new Date(Date.UTC(2015, 4, 17) + index * 1_234).toISOString(),
    visitor: Math.floor(random() * 2 ** 32).toString(16),
    method: oneOf('GET', 'POST', 'HEAD'),
    path: `/${oneOf('blog', 'images', 'übersicht')}/${Math.floor(random() * 1_000)}?q="a,b"`,
    status: oneOf(200, 206, 304, 404, 500),
    bytes: Math.floor(random() * 1_000_000),
    browser: oneOf('chrome', 'firefox', 'safari'),
  }))
}

interface Run {
  readonly status: number | null
  readonly result: unknown
  readonly story: string
}

async function replay(file: string): Promise<Run> {
  const child = spawn(process.execPath, ['demo/main.ts', '--replay', file], { cwd: ROOT })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [output, story] = await Promise.all([text(child.stdout), text(child.stderr)])
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  return { status: await closed, result: JSON.parse(last), story }
}

async function replayLines(lines: readonly string[]): Promise<Run> {
  const file = join(folder, 'events.ndjson')
  await writeFile(file, `${lines.join('\n')}\n`)
  return replay(file)
}

function expectAgreement({ status, result, story }: Run, events: number, bytes: number): void {
  const figures = { recorded: events, received: events, forwarded: events, upstream: events }
  expect(result, story).toEqual({ ...figures, duplicates: 0, missing: 0, quantitySum: { bytes }, ok: true })
  expect(status).toBe(0)
  expect(story).toMatch(/Browser killed with SIGKILL/)
  expect(story).toMatch(/Network cut at line [\d,]+.*Network back/s)
}

describe('npm run demo -- --replay FILE', () => {
  it('brings every valid line to Zuora once, through a kill and a cut network', async () => {
    const events = generateEvents(1_500)
    const lines = events.map((event) => JSON.stringify(event))
    // Refused at both ends and where the kill falls; they must not move the place of resumption.
    const bad = [
      '',
      'no JSON',
      '[]',
      JSON.stringify({ ...events[0], bytes: -1 }),
      JSON.stringify({ ...events[0], at: 1 }),
    ]
    for (const place of [1_500, 505, 500, 0]) lines.splice(place, 0, ...bad)
    const run = await replayLines(lines)
    const bytes = events.reduce((sum, event) => sum + event.bytes, 0)
    expectAgreement(run, events.length, bytes)
    expect(run.story).toMatch(/^16 lines are no usage event, the first is line 2\.$/m)
  })

  it.runIf(existsSync(REAL_FILE))('does so with a real log', async () => {
    expectAgreement(await replay(REAL_FILE), REAL_EVENTS, REAL_BYTES)
  })

  it('fails and leaves nothing behind when it is stopped', async () => {
    const file = join(folder, 'stopped.ndjson')
    await writeFile(
      file,
      generateEvents(1_500)
        .map((event) => JSON.stringify(event))
        .join('\n'),
    )
    const temporary = join(folder, 'tmp')
    await mkdir(temporary)
    const env = { ...process.env, TMPDIR: temporary }
    const child = spawn(process.execPath, ['demo/main.ts', '--replay', file], { cwd: ROOT, env })
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
    child.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('10 %')) child.kill('SIGINT')
    })
    const last = (await text(child.stdout)).trimEnd().split('\n').at(-1) ?? ''
    expect(await closed).toBe(1)
    expect(JSON.parse(last)).toMatchObject({ duplicates: 0, ok: false })
    expect(await readdir(temporary)).toEqual([])
  })

  it('says so, and fails, when the ends do not agree', async () => {
    const events = generateEvents(60)
    // The agent takes an event from the future, the relay does not.
    const lines = events.map((event, index) =>
      JSON.stringify(index === 30 ? { ...event, at: '2999-01-01T00:00:00Z' } : event),
    )
    const { status, result } = await replayLines(lines)
    expect(result).toMatchObject({ recorded: 60, received: 59, forwarded: 59, upstream: 59, ok: false })
    expect(status).toBe(1)
  })
})
