import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { SHOTS, takeShots } from '../../demo/shots/take-shots.ts'
import { startStage } from '../../demo/stage/start-stage.ts'

/** Bytes. Less is an empty page; more is too much for a README. */
const LEAST = 15_000
const MOST = 150_000
const MOST_TOGETHER = 700_000
const PNG = Buffer.from('89504e470d0a1a0a', 'hex')
const NAMES = SHOTS.map((shot) => `${shot}.png`).sort()

/** Size of each picture in bytes, and its width in pixels. */
async function look(folder: string): Promise<Map<string, { bytes: number; width: number }>> {
  const seen = new Map<string, { bytes: number; width: number }>()
  for (const name of NAMES) {
    const file = await readFile(join(folder, name))
    expect(file.subarray(0, PNG.length)).toEqual(PNG)
    seen.set(name, { bytes: file.length, width: file.readUInt32BE(16) })
  }
  return seen
}

function expectSmall(pictures: ReadonlyMap<string, { bytes: number; width: number }>): void {
  let together = 0
  for (const [name, { bytes, width }] of pictures) {
    expect(bytes, name).toBeGreaterThan(LEAST)
    expect(bytes, name).toBeLessThan(MOST)
    expect(width, name).toBe(1_360)
    together += bytes
  }
  expect(together).toBeLessThan(MOST_TOGETHER)
}

it('the README’s pictures are taken of the real thing, each of them, and small', { timeout: 240_000 }, async () => {
  // Dead until it is started: a busy machine takes its time.
  const stage = await startStage({ restartAfterMs: 120_000 })
  const folder = await mkdtemp(join(tmpdir(), 'metertap-shots-'))
  onTestFinished(async () => {
    await stage.close()
    await rm(folder, { recursive: true, force: true })
  })
  const told: string[] = []
  await takeShots(stage, folder, (line) => told.push(line))
  expect((await readdir(folder)).sort()).toEqual(NAMES)
  expectSmall(await look(folder))
  expect(told).toHaveLength(SHOTS.length)
})

it('the README’s pictures are there', async () => {
  expectSmall(await look('docs/images'))
})
