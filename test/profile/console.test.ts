import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startWorld, type World } from '../../demo/world.ts'
import { createGrant } from '../../src/relay.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const WAIT = { timeout: 45_000, interval: 100 }
const STREAM = '0192d3a0-7b1c-7def-8abc-0123456789ab'
const DEAD_ID = `${STREAM}-1`

declare const axe: { run(): Promise<AxeResults> }

let browser: Browser
let world: World
let complaints: string[]

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
})
afterAll(() => browser?.close())
beforeEach(async () => {
  complaints = []
  world = await startWorld()
  return () => world.close()
})
afterEach(() => expect(complaints, 'the page’s console, its policy included').toEqual([]))

async function send(path: string, body: unknown, token?: string): Promise<{ token: string }> {
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) }
  const response = await fetch(`${world.relayUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(response.status).toBe(200)
  return (await response.json()) as { token: string }
}

/** Of seven recorded events three arrive, one is declared lost, three are missing; the upstream takes no PNG. */
async function recordSome(): Promise<void> {
  world.zuora.faults.add({ kind: 'refuse-rows', where: { field: 'Format', equals: 'png' } })
  const grant = await createGrant({
    ...{ ...world.grants, account: 'acme', device: 'laptop', meters: ['exports', 'api_calls'] },
  })
  const { token } = await send('/v1/token', { grant })
  const now = Date.now()
  const events = ['jpeg', 'png', 'jpeg'].map((format) => ['exports', now, { format, quantity: 1 }])
  const streams = [{ id: STREAM, recorded: 7, dropped: { storage_full: 1 } }]
  const segments = [{ stream: STREAM, first: 0, events }]
  await send('/v1/events', { v: 1, sentAt: now, device: 'laptop', streams, segments }, token)
  await expect.poll(async () => (await world.relay.store.totals()).forwarded, WAIT).toBe(2)
  await expect.poll(async () => (await world.relay.store.totals()).dead, WAIT).toBe(1)
}

async function openConsole(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  onTestFinished(() => context.close())
  await context.addInitScript({ path: AXE })
  const page = await context.newPage()
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(world.adminUrl).origin) complaints.push(`left: ${request.url()}`)
  })
  await page.goto(`${world.adminUrl}/console`)
  await page.waitForSelector('#key')
  return page
}

async function signIn(page: Page): Promise<void> {
  await page.fill('#key', world.adminKey)
  await page.click('button[type=submit]')
  await page.waitForSelector('[data-lane=exports]')
  await page.waitForSelector('#days tr, #days:empty', { state: 'attached' })
}

async function violations(page: Page): Promise<unknown[]> {
  const { violations: found } = await page.evaluate(() => axe.run())
  return found.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])])
}

const text = (page: Page, selector: string): Promise<string | null> => page.textContent(selector)
const lane = (page: Page) => page.locator('[data-lane=exports] button')

/** Walks on with Tab until what has the focus fits. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let step = 0; step < 80; step++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${selector}.`)
}

describe('the console', () => {
  it('opens to the key alone, and keeps it nowhere', async () => {
    const page = await openConsole()
    await page.fill('#key', 'not the key')
    await page.keyboard.press('Enter')
    await expect.poll(() => text(page, '#login-problem'), WAIT).toBe('That is not the admin key of this relay.')
    // The refusal itself: Chromium notes each failed request.
    expect(complaints.splice(0)).toEqual([expect.stringContaining('401')])
    await signIn(page)
    const kept = await page.evaluate(() => JSON.stringify([location.href, document.cookie, { ...localStorage }]))
    expect(kept).toBe(JSON.stringify([`${world.adminUrl}/console`, '', {}]))
    expect(JSON.stringify(await page.context().storageState())).not.toContain(world.adminKey)
    await page.reload()
    await page.waitForSelector('[data-lane=exports]')
    await page.click('#sign-out')
    await page.waitForSelector('#key')
    await page.reload()
    await page.waitForSelector('#key')
  })

  it('shows at a glance what is missing, by account and day', async () => {
    await recordSome()
    const page = await openConsole()
    await signIn(page)
    await expect.poll(() => text(page, '#total-missing'), WAIT).toBe('3')
    expect(await text(page, '#verdict')).toContain('42.85 % of 7 recorded events are here.')
    const row = page.locator('#days tr')
    await expect.poll(() => row.allInnerTexts(), WAIT).toEqual([expect.stringMatching(/acme\s+1\s+7\s+3\s+1\s+0\s+3/)])
    expect(await page.getAttribute('#completeness .chart', 'aria-label')).toContain(
      'Received 3, Declared lost 1, Refused here 0, Missing 3',
    )
    expect(await page.locator('#completeness canvas').count()).toBe(1)
    await page.selectOption('#account', 'acme')
    expect(await row.count()).toBe(1)
  })

  it('edits a dead letter and replays it, by clicks: the upstream bills it under its own id', async () => {
    await recordSome()
    const page = await openConsole()
    await signIn(page)
    await page.click(`[data-event="${DEAD_ID}"] button`)
    await page.fill('#edit-data', '{"format": "jpeg"')
    await page.click('text=Save and replay')
    await expect.poll(() => text(page, '#edit-problem'), WAIT).toContain('This is not JSON')
    await page.fill('#edit-data', '{"format": "jpeg", "quantity": 2}')
    await page.click('text=Save and replay')
    await expect.poll(async () => (await world.relay.store.totals()).forwarded, WAIT).toBe(3)
    await expect.poll(() => page.locator('#letter-rows tr').count(), WAIT).toBe(0)
    await expect.poll(() => text(page, '#total-dead'), WAIT).toBe('0')
    expect(world.zuora.ledger.totals('halftone-exports')).toMatchObject({ billable: 3, deduplicated: 0 })
  })

  it('says which lane keeps its queue by itself, and why', async () => {
    await recordSome()
    world.zuora.faults.set([{ kind: 'status', status: 403 }])
    const page = await openConsole()
    await signIn(page)
    await expect.poll(() => text(page, '#health'), WAIT).toBe('The upstream answers, and no lane is held up.')
    const grant = await createGrant({ ...world.grants, account: 'acme', device: 'laptop', meters: ['exports'] })
    const { token } = await send('/v1/token', { grant })
    const now = Date.now()
    const segments = [{ stream: STREAM, first: 3, events: [['exports', now, { format: 'jpeg', quantity: 1 }]] }]
    const streams = [{ id: STREAM, recorded: 7, dropped: { storage_full: 1 } }]
    await send('/v1/events', { v: 1, sentAt: now, device: 'laptop', streams, segments }, token)
    await expect.poll(() => text(page, '#health'), WAIT).toContain('exports keeps its queue: HTTP 403')
  })

  it('replays by keyboard alone, pauses and resumes a lane, and finds an event', async () => {
    await recordSome()
    world.zuora.faults.clear()
    const page = await openConsole()
    await page.keyboard.type(world.adminKey)
    await page.keyboard.press('Enter')
    await page.waitForSelector('#letter-rows tr')

    await tabTo(page, '[data-lane=exports] button')
    await page.keyboard.press('Enter')
    await expect.poll(() => lane(page).textContent(), WAIT).toBe('Resume')
    expect((await world.relay.store.backlog()).find((of) => of.lane === 'exports')?.paused?.reason).toBe(
      'paused in the console',
    )
    expect(await text(page, '#health')).toContain('paused: exports')
    expect(await page.evaluate(() => document.activeElement?.textContent), 'stays where it was').toBe('Resume')

    await tabTo(page, '#letter-rows input')
    await page.keyboard.press('Space')
    await page.keyboard.press('Shift+Tab')
    await page.evaluate(() => document.querySelector<HTMLElement>('#main')?.focus())
    await tabTo(page, '#dead-letters button.main')
    await page.keyboard.press('Enter')
    await expect.poll(() => text(page, '#news'), WAIT).toBe('1 replayed.')
    expect((await world.relay.store.totals()).dead, 'it waits in the paused lane').toBe(0)

    await tabTo(page, '#event-id')
    await page.keyboard.type(DEAD_ID)
    await page.keyboard.press('Enter')
    const way = page.locator('#event-way')
    await expect.poll(() => way.textContent(), WAIT).toContain('Received and on its way upstream')
    expect(await way.textContent()).toContain('Its stream began')

    await page.evaluate(() => document.querySelector<HTMLElement>('#main')?.focus())
    await tabTo(page, '[data-lane=exports] button')
    await page.keyboard.press('Enter')
    await expect.poll(() => lane(page).textContent(), WAIT).toBe('Pause')
    await expect.poll(async () => (await world.relay.store.totals()).forwarded, WAIT).toBe(3)
    await page.fill('#event-id', DEAD_ID)
    await page.keyboard.press('Enter')
    await expect.poll(() => way.textContent(), WAIT).toContain('Forwarded: the upstream has accepted it')
  })

  it('pauses and resumes a lane by clicks, and tells a dead event’s way with its times', async () => {
    await recordSome()
    const page = await openConsole()
    await signIn(page)
    await lane(page).click()
    await expect.poll(() => lane(page).textContent(), WAIT).toBe('Resume')
    await lane(page).click()
    await expect.poll(() => lane(page).textContent(), WAIT).toBe('Pause')
    await page.fill('#event-id', DEAD_ID)
    await page.click('#search button')
    const steps = page.locator('#event-way .way li')
    await expect.poll(() => steps.count(), WAIT).toBe(4)
    const told = await steps.allTextContents()
    expect(told.map((step) => /^[A-Z][^(\d]+/.exec(step)?.[0].trim())).toEqual([
      ...['Its stream began', 'Recorded', 'Received', 'Refused upstream'],
    ])
    for (const step of told) expect(step).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC/)
  })

  it('asks for a decision on what is parked or on hold, and on nothing else', async () => {
    const page = await openConsole()
    await signIn(page)
    expect(await page.isVisible('#decisions')).toBe(false)
    const { store } = world.relay
    const event = { stream: STREAM, meter: 'exports', atMs: Date.now(), data: '{"format":"jpeg","quantity":1}' }
    const request = {
      ...{ tenant: 'default', account: 'acme', device: 'laptop', receivedAtMs: Date.now(), refused: [] },
      streams: [{ id: STREAM, recorded: 2, dropped: {} }],
    }
    await store.pauseLane('exports', 'test', Date.now())
    await store.accept({ ...request, events: [{ ...event, seq: 0 }] })
    await store.accept({ ...request, events: [{ ...event, seq: 1 }], hold: true })
    const claim = { lane: 'exports', owner: 'test', leaseMs: 1, nowMs: Date.now(), maxEvents: 1 }
    const delivery = await store.openDelivery(claim, () => ({
      ...{ taken: 1, body: new Uint8Array(), rows: 1, bytes: 0, unmappable: [] },
    }))
    await store.parkDelivery(delivery?.id ?? '', 'too late for the deduplicator', Date.now())
    await page.waitForSelector('[data-parked]')
    expect(await violations(page)).toEqual([])
    await page.click('text=The upstream has it')
    await expect.poll(async () => (await store.totals()).forwarded, WAIT).toBe(1)
    await page.click('[data-held=acme] button')
    await expect.poll(async () => (await store.totals()).held, WAIT).toBe(0)
    await expect.poll(() => page.isVisible('#decisions'), WAIT).toBe(false)
  })

  it.each(['light', 'dark'] as const)('is accessible, by axe: %s', async (colorScheme) => {
    await recordSome()
    const page = await openConsole({ colorScheme })
    expect(await violations(page)).toEqual([])
    await signIn(page)
    await page.fill('#event-id', DEAD_ID)
    await page.click('#search button')
    await page.waitForSelector('#event-way .way')
    await page.waitForSelector('#letter-rows tr')
    expect(await violations(page)).toEqual([])
    await page.click(`[data-event="${DEAD_ID}"] button`)
    expect(await violations(page)).toEqual([])
    if (process.env.METERTAP_SHOTS) {
      await page.keyboard.press('Escape')
      await page.waitForTimeout(7_000)
      await page.screenshot({ path: `${process.env.METERTAP_SHOTS}/console-${colorScheme}.png`, fullPage: true })
    }
  })
})
