import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type Stage, startStage } from '../../demo/stage/start-stage.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const WAIT = { timeout: 45_000, interval: 200 }
const NARROW = { width: 380, height: 800 }

declare const axe: { run(): Promise<AxeResults> }

let browser: Browser
let stage: Stage

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
})
afterAll(() => browser?.close())
beforeEach(async () => {
  stage = await startStage()
  return () => stage.close()
})

/** A fresh profile on the product page, with what its console complained of. */
async function openPage(
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  onTestFinished(() => context.close())
  await context.addInitScript({ path: AXE })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(stage.pageUrl)
  await page.waitForSelector('#login:not([hidden])')
  return { page, complaints }
}

async function signIn(page: Page, user: 'ada' | 'grace' | 'george'): Promise<void> {
  await page.click(`[data-user=${user}]`)
  await page.waitForSelector('#stage:not([hidden])')
}

const text = (page: Page, id: string): Promise<string | null> => page.textContent(`#${id}`)

async function violations(page: Page): Promise<unknown[]> {
  const { violations: found } = await page.evaluate(() => axe.run())
  return found.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])])
}

function billed(meterId: string): { events: number; quantity: string | undefined } {
  const { billable, sums } = stage.zuora.ledger.totals(meterId)
  return { events: billable, quantity: sums.Quantity }
}

describe('the product page', () => {
  it('bills its three meters, and shows what was used here and what is billed there', async () => {
    const { page, complaints } = await openPage()
    await signIn(page, 'ada')
    await page.click('#save-copy')
    await expect.poll(() => text(page, 'message'), WAIT).toMatch(/^Kept [\d,]+ bytes\. .* survives a power cut\.$/)
    await page.click('#export')
    await expect.poll(() => text(page, 'message'), WAIT).toMatch(/^Exported as PNG\. .* the end of this browser\.$/)
    await page.click('#splash')
    await page.click('#splash')
    await expect.poll(() => text(page, 'billed-ink_dabs'), WAIT).toBe('48')
    expect(await text(page, 'used-ink_dabs')).toBe('48')
    await expect.poll(() => text(page, 'bill-state'), WAIT).toBe('all billed')
    expect(await text(page, 'amount-exports')).toBe('€0.04')
    expect(billed('halftone-exports')).toEqual({ events: 1, quantity: '1' })
    expect(billed('halftone-storage').events).toBe(1)
    // Many dabs are few events: the meter adds them up.
    expect(billed('halftone-ink-dabs').quantity).toBe('48')
    expect(billed('halftone-ink-dabs').events).toBeLessThan(10)
    expect(complaints).toEqual([])
  })

  it('is used by keyboard alone', async () => {
    const { page } = await openPage()
    await page.focus('[data-user=george]')
    await page.keyboard.press('Enter')
    await page.waitForSelector('#stage:not([hidden])')
    await page.focus('#fresh')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('brush')
    for (const key of ['ArrowLeft', 'ArrowDown', ' ']) await page.keyboard.press(key)
    await expect.poll(() => text(page, 'billed-ink_dabs'), WAIT).toBe('3')
  })

  it('bills what was recorded offline to the one who recorded it, after somebody else has signed in', async () => {
    const { page } = await openPage()
    await signIn(page, 'ada')
    await page.click('#offline')
    await page.waitForSelector('#offline[aria-checked=true]')
    await page.click('#save-copy')
    await expect.poll(() => text(page, 'verdict'), WAIT).toContain('1 in this browser')
    await page.click('#logout')
    await page.waitForSelector('#login:not([hidden])')
    await signIn(page, 'grace')
    await page.click('#offline')
    await page.waitForSelector('#offline[aria-checked=false]')
    await page.click('#export')
    await expect.poll(() => billed('halftone-exports').events, WAIT).toBe(1)
    expect(billed('halftone-storage').events).toBe(0)
    await page.click('#logout')
    await page.waitForSelector('#login:not([hidden])')
    await signIn(page, 'ada')
    await expect.poll(() => billed('halftone-storage').events, WAIT).toBe(1)
    const customers = ['halftone-exports', 'halftone-storage'].map((id) =>
      [...stage.zuora.ledger.events(id)].map((row) => row.CustomerId),
    )
    expect(customers).toEqual([['acct-harbor-press'], ['acct-analytical-engines']])
  })

  it.each(['light', 'dark'] as const)('is accessible, by axe, wide and narrow: %s', async (colorScheme) => {
    const { page, complaints } = await openPage({ colorScheme, viewport: { width: 1360, height: 860 } })
    expect(await violations(page)).toEqual([])
    await signIn(page, 'ada')
    await page.click('#save-copy')
    await expect.poll(() => text(page, 'bill-state'), WAIT).toBe('all billed')
    expect(await violations(page)).toEqual([])
    await page.setViewportSize(NARROW)
    expect(await violations(page)).toEqual([])
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow, 'nothing is cut off at the side').toBeLessThanOrEqual(0)
    expect(complaints).toEqual([])
  })

  it('has the inspector at its side where there is room, and below where there is none', async () => {
    const { page } = await openPage({ viewport: { width: 1360, height: 860 } })
    await signIn(page, 'ada')
    const boxes = async () => ({
      product: await page.locator('.product').boundingBox(),
      inspector: await page.locator('metertap-inspector').boundingBox(),
    })
    const { product, inspector } = await boxes()
    expect(inspector?.x).toBeGreaterThanOrEqual((product?.x ?? 0) + (product?.width ?? Number.NaN))
    expect(await page.locator('metertap-inspector [role=tablist]').isVisible()).toBe(true)
    await page.setViewportSize(NARROW)
    const narrow = await boxes()
    expect(narrow.inspector?.y).toBeGreaterThanOrEqual(
      (narrow.product?.y ?? 0) + (narrow.product?.height ?? Number.NaN),
    )
  })
})

describe('the product’s back end', () => {
  const origin = (): string => new URL(stage.pageUrl).origin

  it.each([
    ['GET', '/usage-token'],
    ['GET', '/api/bill'],
    ['POST', '/stage/look'],
    ['POST', '/stage/network'],
    ['POST', '/stage/relay/kill'],
  ])('answers %s %s with 401 to somebody who is not signed in', async (method, path) => {
    const body = method === 'POST' ? { body: '{"isCut":true}' } : {}
    const response = await fetch(stage.pageUrl + path, { method, headers: { origin: origin() }, ...body })
    expect(response.status).toBe(401)
    expect(stage.gate.cutUntilMs).toBeUndefined()
    expect(stage.relay.deaths).toBe(0)
  })

  it('refuses a login from another site', async () => {
    const request = { method: 'POST', body: 'ada' }
    const strange = await fetch(`${stage.pageUrl}/api/login`, {
      ...request,
      headers: { origin: 'https://evil.example' },
    })
    expect(strange.status).toBe(403)
    expect(strange.headers.get('set-cookie')).toBeNull()
    const own = await fetch(`${stage.pageUrl}/api/login`, { ...request, headers: { origin: origin() } })
    expect(own.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Strict/)
  })
})
