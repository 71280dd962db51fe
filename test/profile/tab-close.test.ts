import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'
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

  const url = () => `${world.pageUrl}/replay.html`
  const lines = Array.from({ length: EVENTS }, (_, index) => line(index))

  /** A tab that a page has opened may close itself. */
  async function openTab(prepare?: () => void): Promise<Page> {
    const first = context.pages()[0] ?? (await context.newPage())
    await first.goto(world.pageUrl)
    if (prepare) await context.addInitScript(prepare)
    const open = first.evaluate((address) => void window.open(address), url())
    const [tab] = await Promise.all([context.waitForEvent('page'), open])
    await tab.waitForFunction(() => window.replay !== undefined)
    return tab
  }

  /** No last words over the network: what survives, survives on this machine. */
  async function recordAndClose(tab: Page): Promise<void> {
    world.gate.cut(3_600_000)
    const closed = tab.waitForEvent('close')
    const record = (given: readonly string[]) => {
      void window.replay?.feed(given)
      window.close()
    }
    tab.evaluate(record, lines).catch(() => {})
    await closed
    expect((await world.relay.store.totals()).received).toBe(0)
    world.gate.cut(0)
  }

  async function everythingArrives(): Promise<void> {
    const look = async () => {
      const { received, missing } = await world.relay.store.totals()
      expect({ received, missing }).toEqual({ received: EVENTS, missing: 0 })
    }
    await vi.waitFor(look, { timeout: 30_000, interval: 200 })
  }

  it(`loses none of ${EVENTS} events: they arrive on the next visit`, async () => {
    const tab = await openTab()
    // Answers when the outbox is open.
    await tab.evaluate(() => window.replay?.look())
    await recordAndClose(tab)
    await (await context.newPage()).goto(url())
    await everythingArrives()
  })

  it(`nor when the outbox is not open yet: ${EVENTS} events are put aside`, async () => {
    const tab = await openTab(() => {
      // The tab's IndexedDB never answers; the next visit's does.
      if (window.opener) indexedDB.open = () => new EventTarget() as IDBOpenDBRequest
    })
    await recordAndClose(tab)
    await (await context.newPage()).goto(url())
    await everythingArrives()
  })
})
