import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startWorld, type World } from '../../demo/world.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

const EVENTS = 300
/** The file with all that is not needed to record, as the demo's bundler names it. */
const SECOND_PIECE = /second-piece/

const lines = Array.from({ length: EVENTS }, (_, index) => {
  const request = { visitor: 'abc', method: 'GET', path: `/page/${index}`, status: 200, bytes: 1, browser: 'chrome' }
  return JSON.stringify({ at: new Date(1_700_000_000_000 + index).toISOString(), ...request })
})

describe('a page that cannot get the agent’s second piece', () => {
  let world: World
  let profile: string
  let context: BrowserContext
  let refused = 0

  beforeEach(async () => {
    refused = 0
    world = await startWorld()
    profile = await mkdtemp(join(tmpdir(), 'metertap-pieces-'))
    const options = { executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS }
    context = await chromium.launchPersistentContext(profile, options)
    await context.route(SECOND_PIECE, (route) => {
      refused++
      return route.abort()
    })
  })

  afterEach(async () => {
    await context.close()
    await world.close()
    await rm(profile, { recursive: true, force: true })
  })

  async function recordAll(): Promise<Page> {
    const page = await context.newPage()
    await page.goto(`${world.pageUrl}/replay.html`)
    await page.waitForFunction(() => window.replay !== undefined)
    // Resolves when every receipt is durable.
    await page.evaluate((given) => window.replay?.feed(given), lines)
    await vi.waitFor(() => expect(refused).toBeGreaterThan(1), { timeout: 60_000 })
    expect((await world.relay.store.totals()).received).toBe(0)
    return page
  }

  async function everythingArrives(): Promise<void> {
    const look = async () => {
      const { received, missing } = await world.relay.store.totals()
      expect({ received, missing }).toEqual({ received: EVENTS, missing: 0 })
    }
    await vi.waitFor(look, { timeout: 60_000, interval: 200 })
  }

  it('stores all the same, and sends by itself when the piece can be had', async () => {
    await recordAll()
    await context.unroute(SECOND_PIECE)
    await everythingArrives()
  })

  it('and goes: its events leave with the next visit', async () => {
    await (await recordAll()).close()
    await context.unroute(SECOND_PIECE)
    await (await context.newPage()).goto(`${world.pageUrl}/replay.html`)
    await everythingArrives()
  })
})
