import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startWorld, type World } from '../../demo/world.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

/** Longer than the page's flush interval: time enough for a send that must not happen. */
const WATCH_MS = 3_000
const WAIT = { timeout: 45_000, interval: 100 }

let browser: Browser
let world: World

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
})
afterAll(() => browser.close())
beforeEach(async () => {
  world = await startWorld()
  return () => world.close()
})

/** A fresh profile on the product page, with what its console complained of. */
async function openPage(user: 'ada' | 'grace'): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(world.pageUrl)
  await page.click(`[data-user=${user}]`)
  return { page, complaints }
}

const text = (page: Page, id: string): Promise<string | null> => page.textContent(`#${id}`)

async function cells(page: Page, rows: string): Promise<string[][]> {
  const found = await page.locator(`${rows} tr`).all()
  return Promise.all(found.map((row) => row.locator('td').allTextContents()))
}

function billable(meterId: string): number {
  return world.zuora.ledger.totals(meterId).billable
}

describe('the product page', () => {
  it('shows each click on its way to Zuora', async () => {
    const { page, complaints } = await openPage('ada')
    await page.click('#enhance')
    await page.click('#save-copy')
    await expect.poll(() => text(page, 'message'), WAIT).toMatch(/^Saved [\d,]+ bytes\. .*survives a power cut\.$/)
    await page.click('#export')
    await expect.poll(() => text(page, 'message'), WAIT).toMatch(/^Exported\. .*survives the end of this browser\.$/)
    expect(await text(page, 'recorded')).toBe('3')

    await expect.poll(() => text(page, 'upstream'), WAIT).toBe('3')
    await expect.poll(() => text(page, 'accepted'), WAIT).toBe('3')
    await expect.poll(() => text(page, 'waiting'), WAIT).toBe('0')
    await expect.poll(() => cells(page, '#ledger-rows'), WAIT).toEqual([['3', '3', '3', '3', '0']])
    expect(['halftone-api-calls', 'halftone-exports', 'halftone-storage'].map(billable)).toEqual([1, 1, 1])
    expect(complaints).toEqual([])
  })

  it('keeps events on disk while the offline switch is on, and sends them after', async () => {
    const { page, complaints } = await openPage('ada')
    await page.click('#offline')
    expect(await page.getAttribute('#offline', 'aria-checked')).toBe('true')
    await page.click('#burst')
    await expect.poll(() => text(page, 'waiting'), WAIT).toBe('500')
    expect(await text(page, 'paused-by')).toBe('offline-switch')
    await page.waitForTimeout(WATCH_MS)
    expect(billable('halftone-api-calls')).toBe(0)
    expect(await text(page, 'waiting')).toBe('500')

    await page.click('#offline')
    await expect.poll(() => text(page, 'upstream'), WAIT).toBe('500')
    expect(await text(page, 'paused-by')).toBe('nothing')
    expect(billable('halftone-api-calls')).toBe(500)
    expect(complaints).toEqual([])
  })

  it('shows the typed error of a bad event, which is not recorded', async () => {
    const { page, complaints } = await openPage('ada')
    await page.click('#bad')
    await expect.poll(() => text(page, 'message'), WAIT).toMatch(/^invalid_data: Meter "exports" .*format.*quantity/)
    expect(await text(page, 'refused')).toBe('1 × invalid_data')
    expect(await text(page, 'recorded')).toBe('0')
    expect(complaints).toEqual([])
  })

  it('comes back by itself when the relay could not be reached', async () => {
    const { page } = await openPage('ada')
    await page.click('#cut')
    await expect.poll(() => text(page, 'cut'), WAIT).toMatch(/^Relay cut, back in \d+ s$/)
    await page.click('#enhance')
    await expect.poll(() => text(page, 'last-trouble'), WAIT).toContain('relay_unreachable')
    expect(billable('halftone-api-calls')).toBe(0)

    // The button's own quarter of a minute is for people.
    world.gate.cut(0)
    await expect.poll(() => text(page, 'upstream'), WAIT).toBe('1')
    expect(billable('halftone-api-calls')).toBe(1)
  })

  it('bills what was recorded offline to the one who recorded it, after somebody else has logged in', async () => {
    const { page, complaints } = await openPage('ada')
    await page.click('#offline')
    await page.click('#enhance')
    await expect.poll(() => text(page, 'waiting'), WAIT).toBe('1')
    await page.click('#logout')
    await page.click('[data-user=grace]')
    await page.click('#export')
    await expect.poll(() => text(page, 'upstream'), WAIT).toBe('1')
    expect(billable('halftone-api-calls')).toBe(0)
    await page.click('#logout')
    await page.click('[data-user=ada]')
    await expect.poll(() => billable('halftone-api-calls'), WAIT).toBe(1)

    const customers = ['halftone-exports', 'halftone-api-calls'].map((id) =>
      [...world.zuora.ledger.events(id)].map((row) => row.CustomerId),
    )
    expect(customers).toEqual([['acct-harbor-press'], ['acct-analytical-engines']])
    expect(complaints).toEqual([])
  })
})

describe('the product’s back end', () => {
  const origin = (): string => new URL(world.pageUrl).origin

  it.each([
    ['GET', '/usage-token'],
    ['GET', '/api/ledger'],
    ['POST', '/api/cut-relay'],
  ])('answers %s %s with 401 to somebody who is not logged in', async (method, path) => {
    const response = await fetch(world.pageUrl + path, { method, headers: { origin: origin() } })
    expect(response.status).toBe(401)
    expect(world.gate.cutUntilMs).toBeUndefined()
  })

  it('refuses a login from another site', async () => {
    const request = { method: 'POST', body: 'ada' }
    const strange = await fetch(`${world.pageUrl}/api/login`, {
      ...request,
      headers: { origin: 'https://evil.example' },
    })
    expect(strange.status).toBe(403)
    expect(strange.headers.get('set-cookie')).toBeNull()
    const own = await fetch(`${world.pageUrl}/api/login`, { ...request, headers: { origin: origin() } })
    expect(own.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Strict/)
  })
})
