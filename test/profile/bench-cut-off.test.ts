import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { bundlePage } from '../../bench/browser/bundle.ts'
import { CutOff } from '../../bench/browser/cut-off.ts'
import { measure } from '../../bench/browser/measure.ts'
import type { Format } from '../../bench/sink/contract.ts'

const format: Format = {
  read: ({ method, body }) =>
    method === 'POST' ? (JSON.parse(body.toString()) as number[]).map((n) => ({ n, id: `${n}` })) : undefined,
  answer: () => ({ body: '{}' }),
}

test('a bench’s run whose page does not answer is cut off, with what is known, and leaves nothing behind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'metertap-cut-off-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  vi.stubEnv('TMPDIR', folder)
  onTestFinished(() => void vi.unstubAllEnvs())
  const scripts = await bundlePage('../test/profile/page/blocking-library.ts')
  const run = measure({ scripts, format, events: 3, pace: { kind: 'burst' }, timeoutMs: 2_000 })
  const error = await run.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(CutOff)
  const { cut } = error as CutOff
  expect(cut).toMatchObject({ delivered: 2, requests: 2, wireBytes: 6 })
  expect(cut.ending.how).toBe('cut off')
  expect(cut.ending.afterMs).toBeGreaterThanOrEqual(2_000)
  expect(cut.taskMs, 'processor time of a thread that did nothing but spin').toBeGreaterThan(0)
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(folder)
  const profiles = (await readdir(folder)).filter((name) => name.startsWith('metertap-bench-'))
  expect(profiles).toEqual([])
})
