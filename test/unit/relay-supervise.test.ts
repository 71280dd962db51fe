import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CliHost } from '../../src/relay/cli/host.ts'
import { createMetricsDesk } from '../../src/relay/cli/workers/metrics-desk.ts'
import { supervise } from '../../src/relay/cli/workers/supervise.ts'

/** A worker that listens when it is told to. */
const WORKER = `
const { createServer } = require('node:net')
process.on('message', () => createServer().listen(0, '127.0.0.1'))
`
/** Longer than a worker that died is waited with. */
const OVER_MS = 1_500

let folder: string
let restart: () => void
let said = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-supervise-'))
  const exec = join(folder, 'worker.cjs')
  writeFileSync(exec, WORKER)
  cluster.setupPrimary({ exec, execArgv: [] })
  const host = {
    clock: Date.now,
    writeErr: (text: string) => {
      said += text
    },
    onSignal: () => {},
    onRestart: (handler: () => void) => {
      restart = handler
    },
    exit: (code: number) => {
      said += `exit ${code}\n`
    },
  }
  supervise(2, host as unknown as CliHost, createMetricsDesk())
})
afterAll(() => {
  cluster.removeAllListeners()
  for (const worker of living()) worker.removeAllListeners('exit').process.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

const living = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)

async function listen(worker: Worker): Promise<void> {
  if (!worker.isConnected()) await once(worker, 'online')
  const listening = once(worker, 'listening')
  worker.send('listen')
  await listening
}

/** The one beside those that were there before. */
async function newOne(before: readonly Worker[]): Promise<Worker> {
  await expect.poll(() => living().filter((worker) => !before.includes(worker))).toHaveLength(1)
  return living().find((worker) => !before.includes(worker)) as Worker
}

async function kill(worker: Worker): Promise<void> {
  const exit = once(worker, 'exit')
  worker.process.kill('SIGKILL')
  await exit
}

describe('workers that are replaced in turn', () => {
  test('stay as many, though an old one dies while its successor starts', async () => {
    const [a, b] = living() as [Worker, Worker]
    await Promise.all([listen(a), listen(b)])
    restart()
    const first = await newOne([a, b])
    await kill(a)
    await listen(first)
    const second = await newOne([a, b, first])
    restart()
    await listen(second)
    await expect.poll(() => said).toContain('all workers are replaced')
    await sleep(OVER_MS)
    expect(living()).toEqual([first, second])
  })

  test('stay as many, though both die', async () => {
    const before = living() as [Worker, Worker]
    restart()
    const next = await newOne(before)
    await kill(before[0])
    await kill(next)
    await expect.poll(() => said).toContain('the new worker did not start')
    const another = await newOne([...before, next])
    await listen(another)
    await sleep(OVER_MS)
    expect(living()).toEqual([before[1], another])
    await kill(another)
    expect(await newOne([...before, next, another])).toBeDefined()
    expect(said).not.toContain('exit')
  })
})
