import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startWorld, type World } from '../../demo/world.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

declare global {
  interface Window {
    isFree?: boolean
    freed?: Promise<void>
  }
}

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

  /** The only page of the outbox that lives then. */
  async function everythingArrivesOnNextVisit(): Promise<void> {
    const visit = await context.newPage()
    await visit.goto(url())
    const look = async () => {
      const { received, missing } = await world.relay.store.totals()
      expect({ received, missing }).toEqual({ received: EVENTS, missing: 0 })
      expect(await visit.evaluate(() => window.replay?.look())).toEqual({ recorded: EVENTS, waiting: 0 })
    }
    await vi.waitFor(look, { timeout: 60_000, interval: 200 }).catch(async (error) => {
      throw new Error(`${error.message}\nThe next visit sees ${await seenBy(visit)}`, { cause: error })
    })
  }

  async function seenBy(visit: Page): Promise<string> {
    const see = async () => {
      const { replay } = window
      const aside = Object.entries(localStorage).map(([key, text]) => `${key}: ${String(text).length} characters`)
      return JSON.stringify({
        aside,
        look: await replay?.look(),
        stats: replay?.stats(),
        locks: await navigator.locks.query(),
      })
    }
    return visit.evaluate(see).catch(String)
  }

  /** Another page of the outbox writes all the time, so that what is stored from now on waits for its end. */
  async function keepOutboxBusy(page: Page): Promise<() => Promise<void>> {
    await page.evaluate(async () => {
      const found = (await indexedDB.databases()).find(({ name }) => name?.endsWith('-replay'))
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(found?.name ?? '')
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
      const transaction = database.transaction([...database.objectStoreNames], 'readwrite')
      const store = transaction.objectStore('meta')
      await new Promise((resolve) => {
        const again = () => {
          resolve(undefined)
          if (!window.isFree) store.get('').onsuccess = again
        }
        store.get('').onsuccess = again
      })
      window.freed = new Promise((resolve) => {
        transaction.oncomplete = () => resolve()
      })
    })
    return () =>
      page.evaluate(() => {
        window.isFree = true
        return window.freed
      })
  }

  it(`loses none of ${EVENTS} events: they arrive on the next visit`, async () => {
    const tab = await openTab()
    // Answers when the outbox is open.
    await tab.evaluate(() => window.replay?.look())
    await recordAndClose(tab)
    await everythingArrivesOnNextVisit()
  })

  it(`nor when the outbox is not open yet: ${EVENTS} events are put aside`, async () => {
    const tab = await openTab(() => {
      // The tab's IndexedDB never answers; the next visit's does.
      if (window.opener) indexedDB.open = () => new EventTarget() as IDBOpenDBRequest
    })
    await recordAndClose(tab)
    await everythingArrivesOnNextVisit()
  })

  it(`nor when its transaction has not begun: ${EVENTS} events are put aside, too`, async () => {
    const tab = await openTab()
    await tab.evaluate(() => window.replay?.look())
    const [first] = context.pages() as [Page]
    const free = await keepOutboxBusy(first)
    await recordAndClose(tab)
    await free()
    await everythingArrivesOnNextVisit()
  })
})
