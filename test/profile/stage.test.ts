import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Stage, startStage } from '../../demo/stage/start-stage.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'

const WAIT = { timeout: 60_000, interval: 200 }
const EXPORTS = 'halftone-exports'
const TABS = 5
const EXPORTS_PER_TAB = 200

let browser: Browser
let context: BrowserContext
let stage: Stage
let page: Page

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
})
afterAll(() => browser?.close())
beforeEach(async () => {
  // It stays dead until somebody starts it: the test says when.
  stage = await startStage({ restartAfterMs: 3_600_000 })
  context = await browser.newContext()
  page = await context.newPage()
  await page.goto(stage.pageUrl)
  await page.click('[data-user=ada]')
  await page.waitForSelector('#stage:not([hidden])')
  return async () => {
    await context.close()
    await stage.close()
  }
})

const verdict = (): Promise<string | null> => page.textContent('#verdict')
const billable = (): number => stage.zuora.ledger.totals(EXPORTS).billable

async function everythingIsBilled(events: number): Promise<void> {
  const whole = events.toLocaleString('en')
  const said = `${whole} recorded = ${whole} billed + 0 waiting · 0 doubled · 0 missing`
  await expect.poll(verdict, WAIT).toBe(said)
  expect(await page.getAttribute('#verdict', 'data-state')).toBe('good')
  expect(stage.zuora.ledger.totals(EXPORTS)).toMatchObject({ billable: events, duplicates: 0 })
}

describe('the stage', () => {
  it('kills the relay’s process while events are recorded; another one bills everything once', async () => {
    const pid = stage.relay.pid ?? 0
    // Half of the answers are lost on the way, so that the kill finds deliveries in doubt.
    await page.selectOption('#mood', 'answers-lost')
    await page.click('#record-many')
    await expect.poll(billable, WAIT).toBeGreaterThan(0)
    await page.click('#kill-relay')
    await page.waitForSelector('#kill-relay.dead')
    expect(() => process.kill(pid, 0), 'the process is gone').toThrow()
    await page.click('#record-many')
    await expect.poll(verdict, WAIT).toMatch(/^2,000 recorded = .*[12],\d{3} in this browser.* missing not known/)
    await page.click('#kill-relay')
    await expect.poll(() => stage.relay.pid ?? pid, WAIT).not.toBe(pid)
    await page.selectOption('#mood', 'well')
    await everythingIsBilled(2_000)
    expect(stage.relay.deaths).toBe(1)
  })

  it('cuts the network for all pages, and mends it', async () => {
    await page.click('#offline')
    await page.waitForSelector('#offline[aria-checked=true]')
    await page.click('#record-many')
    await expect.poll(verdict, WAIT).toMatch(/^1,000 recorded = 0 billed \+ 1,000 waiting \(1,000 in this browser\)/)
    expect(billable()).toBe(0)
    await page.click('#offline')
    await everythingIsBilled(1_000)
  })

  it('opens tabs that work by themselves; the relay is killed meanwhile, all is billed once', async () => {
    await page.click('#open-tabs')
    await expect.poll(() => context.pages().length, WAIT).toBe(1 + TABS)
    await page.bringToFront()
    await expect.poll(billable, WAIT).toBeGreaterThan(100)
    await stage.relay.kill()
    await stage.relay.start()
    await everythingIsBilled(TABS * EXPORTS_PER_TAB)
  })

  it('lets Zuora refuse what it is asked to: a dead letter, told apart from what waits', async () => {
    await page.selectOption('#mood', 'refuses-webp')
    await expect.poll(() => stage.zuora.faults.list().length, WAIT).toBe(1)
    await page.selectOption('#format', 'webp')
    await page.click('#export')
    await expect.poll(verdict, WAIT).toBe('1 recorded = 0 billed + 0 waiting + 1 dead letter · 0 doubled · 0 missing')
  })

  it('tells where the console is, without its key in the address, and records nothing of a bad event', async () => {
    expect(await page.getAttribute('#console', 'href')).toBe(`${stage.relay.adminUrl}/console`)
    expect(await page.textContent('#console-key')).toBe(stage.adminKey)
    const opened = context.waitForEvent('page')
    await page.click('#console')
    const second = await opened
    await second.fill('#key', stage.adminKey)
    await second.keyboard.press('Enter')
    await second.waitForSelector('[data-lane=exports]')
    expect(second.url()).not.toContain(stage.adminKey)
    await second.close()
    await page.click('#record-bad')
    await expect
      .poll(() => page.textContent('#message'), WAIT)
      .toMatch(/^invalid_data: Meter "exports" .*format.*quantity/)
    expect(await verdict()).toMatch(/^0 recorded/)
  })

  it('holds nothing against an earlier run with the same database, whose bill is forgotten', async () => {
    const dataFolder = await mkdtemp(join(tmpdir(), 'metertap-stage-'))
    const profile = await browser.newContext()
    try {
      let port = 0
      for (let runs = 0; runs < 2; runs++) {
        const run = await startStage({ dataFolder, port })
        port = Number(new URL(run.pageUrl).port)
        const visitor = await profile.newPage()
        await visitor.goto(run.pageUrl)
        await visitor.click('[data-user=ada]')
        await visitor.waitForSelector('#stage:not([hidden])')
        await visitor.click('#save-copy')
        await expect
          .poll(() => visitor.textContent('#verdict'), WAIT)
          .toBe('1 recorded = 1 billed + 0 waiting · 0 doubled · 0 missing')
        await expect.poll(() => visitor.textContent('#bill-state'), WAIT).toBe('all billed')
        await visitor.close()
        await run.close()
      }
    } finally {
      await profile.close()
      await rm(dataFolder, { recursive: true, force: true, maxRetries: 5 })
    }
  })

  it('opens frames instead of the tabs that a browser takes for pop-ups', async () => {
    await page.evaluate(() => {
      const open = window.open.bind(window)
      let opened = 0
      window.open = (...args) => (opened++ === 0 ? open(...args) : null)
    })
    await page.click('#open-tabs')
    await expect.poll(() => page.locator('#robots iframe').count(), WAIT).toBe(TABS - 1)
    await everythingIsBilled(TABS * EXPORTS_PER_TAB)
  })

  it('starts a killed relay by itself, after its time', async () => {
    const hasty = await startStage({ restartAfterMs: 50 })
    try {
      const pid = hasty.relay.pid
      await hasty.relay.kill()
      await expect.poll(() => hasty.relay.pid ?? pid, WAIT).not.toBe(pid)
      expect((await fetch(`${hasty.relay.adminUrl}/console`)).status).toBe(200)
    } finally {
      await hasty.close()
    }
  })
})
