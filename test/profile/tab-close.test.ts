import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startWorld, type World } from '../../demo/world.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

const EVENTS = 300

function line(index: number): string {
  const request = { visitor: 'abc', method: 'GET', path: `/page/${index}`, status: 200, bytes: 1, browser: 'chrome' }
  return JSON.stringify({ at: new Date(1_700_000_000_000 + index).toISOString(), ...request })
}

describe('a tab closed in the task that records', () => {
  let world: World
  let profile: string
  let context: BrowserContext

  beforeEach(async () => {
    world = await startWorld()
    profile = await mkdtemp(join(tmpdir(), 'metertap-tab-close-'))
    const options = { executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS }
    context = await chromium.launchPersistentContext(profile, options)
  })

  afterEach(async () => {
    await context.close()
    await world.close()
    await rm(profile, { recursive: true, force: true })
  })

  it(`loses none of ${EVENTS} events: they arrive on the next visit`, async () => {
    const url = `${world.pageUrl}/replay.html`
    const first = context.pages()[0] ?? (await context.newPage())
    await first.goto(world.pageUrl)
    const [tab] = await Promise.all([
      context.waitForEvent('page'),
      first.evaluate((address) => void window.open(address), url),
    ])
    await tab.waitForFunction(() => window.replay !== undefined)
    // Answers when the outbox is open: a page's first milliseconds are another matter.
    await tab.evaluate(() => window.replay?.look())
    // No last words over the network: what survives, survives in the outbox.
    world.gate.cut(3_600_000)
    const lines = Array.from({ length: EVENTS }, (_, index) => line(index))
    const closed = tab.waitForEvent('close')
    tab
      .evaluate((given) => {
        void window.replay?.feed(given)
        window.close()
      }, lines)
      .catch(() => {})
    await closed
    expect((await world.relay.store.totals()).received).toBe(0)

    world.gate.cut(0)
    const next = await context.newPage()
    await next.goto(url)
    await vi.waitFor(
      async () => {
        const { received, missing } = await world.relay.store.totals()
        expect({ received, missing }).toEqual({ received: EVENTS, missing: 0 })
      },
      { timeout: 30_000, interval: 200 },
    )
  })
})
