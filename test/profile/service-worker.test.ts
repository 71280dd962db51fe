import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { canSever, openSeverableNetwork, type SeverableNetwork } from '../support/severable-network.ts'
import { type SmallApp, startSmallApp } from '../support/small-app.ts'

const EVENTS = 20
/** Long enough for whatever would still be under way. */
const QUIET_MS = 1_500
const OFFLINE_MS = 4_000
const SCRIPTS = { '/app.js': 'test/profile/page/closed-app.ts', '/sw.js': 'test/profile/page/sw.ts' }
/** Chromium repeats a sync that failed after five minutes, three times: too long for a test. */
const QUICK_SYNC = [
  '--force-fieldtrials=BackgroundSync/Quick/',
  '--force-fieldtrial-params=BackgroundSync.Quick:initial_retry_delay_sec/1/retry_delay_factor/1/max_sync_attempts/30',
]

let app: SmallApp
let profile: string
let context: BrowserContext

async function launch(executablePath: string, flags: readonly string[]): Promise<Page> {
  context = await chromium.launchPersistentContext(profile, { executablePath, args: [...CHROMIUM_FLAGS, ...flags] })
  const page = context.pages()[0] ?? (await context.newPage())
  await page.goto(app.url)
  await page.waitForFunction(() => window.app !== undefined)
  return page
}

/** Records what cannot leave, sees that the browser was asked for a sync, and closes every page. */
async function recordAndClose(page: Page): Promise<string[]> {
  const ids = await page.evaluate((count) => window.app?.record(count), EVENTS)
  const isAsked = async () => expect(await page.evaluate(() => window.app?.syncs())).toEqual(['metertap:metertap'])
  await vi.waitFor(isAsked, { timeout: 60_000, interval: 50 })
  for (const open of context.pages()) await open.close()
  return ids ?? []
}

async function allArrive(ids: readonly string[]): Promise<void> {
  const look = () => expect([...app.relay.ids].sort()).toEqual([...ids].sort())
  await vi.waitFor(look, { timeout: 60_000, interval: 100 })
  expect(context.pages(), 'no page is open').toEqual([])
  expect(app.relay.conflicts).toEqual([])
  expect(app.seen).toContain('GET /usage-token?worker')
}

beforeEach(async () => {
  profile = await mkdtemp(join(tmpdir(), 'metertap-service-worker-'))
})

afterEach(async () => {
  await context.close()
  await app.close()
  await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

describe('a page that was closed before its events could leave', () => {
  it('is outlived by them: its service worker sends when the relay is back, with no page open', async () => {
    app = await startSmallApp({ scripts: SCRIPTS })
    // By its own tries: Chromium's next one would be too late for this test.
    const page = await launch(requireEngine('chromium'), [])
    await app.setDown(true)
    const ids = await recordAndClose(page)
    await sleep(QUIET_MS)
    expect(app.relay.ids).toEqual([])
    await app.setDown(false)
    await allArrive(ids)
  })

  describe('because the network was gone', () => {
    let network: SeverableNetwork | undefined
    afterEach(() => network?.close())

    // A network that comes back can only be had with a network of one's own, and that takes root.
    it.runIf(canSever())('is outlived by them: they leave when the network is back, with no page open', async () => {
      network = openSeverableNetwork()
      app = await startSmallApp({ scripts: SCRIPTS, host: network.host })
      const browser = await network.wrap(requireEngine('chromium'), profile)
      const page = await launch(browser, [...QUICK_SYNC, `--unsafely-treat-insecure-origin-as-secure=${app.url}`])
      network.setPlugged(false)
      await page.waitForFunction(() => !navigator.onLine)
      // Chromium's syncs hear of it a moment later than its pages; one that fails is repeated after minutes.
      await sleep(OFFLINE_MS)
      const ids = await recordAndClose(page)
      await sleep(QUIET_MS)
      expect(app.relay.ids).toEqual([])
      network.setPlugged(true)
      await allArrive(ids)
    })
  })
})
