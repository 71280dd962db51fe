import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startWorld, type World } from '../../demo/world.ts'
import { type RunningWorker, startWorker } from './support/worker-world.ts'

const EXAMPLE = resolve('demo/worker')
const WRANGLER = resolve('node_modules/wrangler/bin/wrangler.js')

/** wrangler as the example's README has it, but for the last step. */
async function dryRun(outFolder: string): Promise<string> {
  const args = [WRANGLER, 'deploy', '--dry-run', '--outdir', outFolder]
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: outFolder }
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: EXAMPLE, env })
  return stdout
}

describe('the example Worker', () => {
  let folder: string
  let told: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'metertap-example-'))
    told = await dryRun(folder)
  })
  afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))

  test('deploys as it stands', async () => {
    expect(told).toContain('--dry-run: exiting now.')
    expect(told).toMatch(/env\.USAGE_OUTBOX \(UsageOutbox\)\s+Durable Object/)
    const code = await readFile(join(folder, 'worker.js'), 'utf8')
    const imported = [...code.matchAll(/^import .* from "([^"]+)"/gm)].map(([, name]) => name)
    expect(new Set(imported)).toEqual(new Set(['cloudflare:workers']))
  })

  describe('beside the demo’s relay', () => {
    let world: World
    let worker: RunningWorker
    beforeAll(async () => {
      world = await startWorld()
      const bindings = {
        METERTAP_RELAY: world.relayUrl,
        METERTAP_GRANT_KEY_ID: world.grants.keyId,
        METERTAP_GRANT_SECRET: world.grants.secret,
        API_KEYS: { 'demo-key': 'demo-account' },
      }
      worker = await startWorker([join(folder, 'worker.js'), join(folder, 'objects'), JSON.stringify(bindings)])
    })
    afterAll(async () => {
      await worker?.kill()
      await world?.close()
    })

    test('bills each call once, to the account that its key names', async () => {
      const ids: string[] = []
      for (let call = 0; call < 10; call++) {
        const response = await fetch(`${worker.url}/resize`, { headers: { 'x-api-key': 'demo-key' } })
        ids.push(((await response.json()) as { usage: string }).usage)
      }
      const { ledger } = world.zuora
      await vi.waitFor(() => expect(ids.filter((id) => !ledger.has('halftone-api-calls', id))).toEqual([]), {
        timeout: 50_000,
        interval: 100,
      })
      expect(ledger.totals('halftone-api-calls')).toMatchObject({ billable: 10 })
    })

    test('turns away who is nobody’s customer', async () => {
      expect((await fetch(worker.url, { headers: { 'x-api-key': 'constructor' } })).status).toBe(401)
    })
  })
})
