import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished } from 'vitest'
import type { AgentStats } from '../../../src/agent/stats.ts'
import { serveRelay } from '../../support/http-relay.ts'
import { TinyRelay } from '../../support/tiny-relay.ts'
import { type RecorderProcess, startRecorder } from './recorder-process.ts'

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export interface Workplace {
  readonly folder: string
  readonly relay: TinyRelay
  readonly url: string
  /** While true, connections break. */
  isDown: boolean
}

/** A folder and a relay at work, both gone when the test is over. */
export async function openWorkplace(given?: string): Promise<Workplace> {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'metertap-node-'))
  const relay = new TinyRelay()
  const workplace = { folder, relay, url: '', isDown: false }
  const { url, close } = await serveRelay((input, init) =>
    workplace.isDown ? Promise.reject(new TypeError('down')) : relay.fetch(input, init),
  )
  onTestFinished(async () => {
    await close()
    rmSync(folder, { recursive: true, force: true })
  })
  return Object.assign(workplace, { url })
}

/** What a process knows of itself, asked now. */
export async function statsOf(recorder: RecorderProcess): Promise<AgentStats> {
  const known = recorder.lines.length
  recorder.tell('stats')
  const line = await expect
    .poll(() => recorder.lines.slice(known).find((each) => each.startsWith('stats ')))
    .toBeDefined()
    .then(() => recorder.lines.slice(known).find((each) => each.startsWith('stats ')) as string)
  return JSON.parse(line.slice(6)) as AgentStats
}

/** Reads the outbox's file with a connection of its own. */
export function stored(folder: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(join(folder, 'metertap.db'), { readOnly: true })
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
  } finally {
    db.close()
  }
}

/** A process that sends what others left, until nothing is left but windows that are open. */
export async function drain({ folder, url }: Workplace): Promise<void> {
  const last = startRecorder(folder, url, { flushIntervalMs: 50 })
  await last.says('ready')
  const left = () => stored(folder, 'SELECT count(*) AS n FROM segments')[0]?.n
  await expect
    .poll(
      () => {
        last.tell('flush')
        return left()
      },
      { timeout: 50_000, interval: 100 },
    )
    .toBe(0)
  last.tell('close')
  await last.says('closed')
  await last.kill()
}

export function expectEachOnce({ relay }: Workplace, processes: readonly RecorderProcess[]): void {
  const durable = processes.flatMap((each) => each.durable)
  expect(durable.length).toBeGreaterThan(0)
  expect(durable.filter((id) => !relay.events.has(id))).toEqual([])
  // One number, one event: what came twice was the same, byte by byte.
  expect(relay.conflicts).toEqual([])
}

/** Numbers that a stream's owner gave out and of which the relay knows nothing. */
export function missing({ relay }: Workplace): Record<string, number> {
  const held = new Map<string, number>()
  for (const id of relay.ids) {
    const stream = id.slice(0, id.lastIndexOf('-'))
    held.set(stream, (held.get(stream) ?? 0) + 1)
  }
  const gaps = [...relay.recorded].map(([stream, recorded]) => {
    const dropped = Object.values(relay.dropped.get(stream) ?? {}).reduce((sum, count) => sum + count, 0)
    return [stream, recorded - dropped - (held.get(stream) ?? 0)] as const
  })
  return Object.fromEntries(gaps.filter(([, gap]) => gap !== 0))
}
