import type { Browser, Page } from 'playwright'
import type { Stage } from '../stage/start-stage.ts'
import type { Camera } from './camera.ts'

const VIEW = { width: 1360, height: 860 }
/** Room for the dead letters and an event's way below them. */
const TALL = { width: 1360, height: 960 }

/** The relay's console, with what the product's visitors have left there: three exports that Zuora has refused. */
export async function shootConsole(browser: Browser, { relay, adminKey }: Stage, shoot: Camera): Promise<void> {
  const context = await browser.newContext({ viewport: VIEW, reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(`${relay.adminUrl}/console`)
  await page.fill('#key', adminKey)
  await page.click('button[type=submit]')
  await page.waitForSelector('#days tr')
  await page.waitForSelector('#completeness canvas')
  await shoot(page, 'console-completeness')

  await page.setViewportSize(TALL)
  const dead = page.locator('#letter-rows tr').first()
  await dead.waitFor()
  const id = (await dead.getAttribute('data-event')) ?? ''
  await page.fill('#event-id', id)
  await page.keyboard.press('Enter')
  await page.waitForSelector('#event-way .way')
  await scrollTo(page, '#dead-letters')
  await shoot(page, 'console-event')
  await context.close()
}

async function scrollTo(page: Page, selector: string): Promise<void> {
  await page.locator(selector).evaluate((element) => element.scrollIntoView({ block: 'start' }))
}
