import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { killBrowser } from '../../demo/replay/browser.ts'
import { meterIdOf } from '../../demo/world/meter-routes.ts'
import { startWorld, type World } from '../../demo/world.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { makeUsageLines } from '../support/usage-lines.ts'

const EVENTS = 500

let world: World
let profile: string
let context: BrowserContext

async function visit(): Promise<Page> {
  const options = { executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS }
  context = await chromium.launchPersistentContext(profile, options)
  const page = context.pages()[0] ?? (await context.newPage())
  await page.goto(`${world.pageUrl}/replay.html`)
  await page.waitForFunction(() => window.replay !== undefined)
  return page
}

beforeEach(async () => {
  world = await startWorld()
  profile = await mkdtemp(join(tmpdir(), 'metertap-offline-kill-'))
})

afterEach(async () => {
  await context.close()
  await world.close()
  await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

it(`${EVENTS} events recorded offline and the browser killed: all arrive on the next visit, once`, async () => {
  const page = await visit()
  await page.evaluate(() => window.replay?.look())
  await context.setOffline(true)
  const lines = makeUsageLines(EVENTS).map((line) => JSON.stringify(line))
  // Resolves when every receipt is durable. Then a person sees that the network is gone, and closes the laptop.
  await page.evaluate((given) => window.replay?.feed(given), lines)
  await page.waitForFunction(() => window.replay?.stats().pausedBy.includes('offline'))
  await killBrowser(context)
  expect((await world.relay.store.totals()).received).toBe(0)

  await visit()
  const look = async () => {
    const { received, forwarded, missing } = await world.relay.store.totals()
    expect({ received, forwarded, missing }).toEqual({ received: EVENTS, forwarded: EVENTS, missing: 0 })
  }
  await vi.waitFor(look, { timeout: 60_000, interval: 200 })
  expect(world.zuora.ledger.totals(meterIdOf('web_requests'))).toMatchObject({ billable: EVENTS, duplicates: 0 })
})
