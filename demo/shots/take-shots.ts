import { mkdir } from 'node:fs/promises'
import { type Browser, chromium, type Page } from 'playwright'
import { CHROMIUM_FLAGS, requireEngine } from '../../test/support/engines.ts'
import type { Stage } from '../stage/start-stage.ts'
import { type Camera, createCamera } from './camera.ts'
import { shootConsole } from './console-scenes.ts'

/** Every picture that takeShots() writes. */
export const SHOTS = [
  'product-light',
  'relay-killed-dark',
  'offline-waiting',
  'offline-delivered',
  'console-completeness',
  'console-event',
] as const

const VIEW = { width: 1360, height: 860 }
const PATIENCE = { timeout: 60_000 }
const STROKE_STEPS = 30

/** Plays the demo in a real Chromium and photographs it. Writes `<folder>/<shot>.png` for every shot. */
export async function takeShots(stage: Stage, folder: string, tell: (line: string) => void): Promise<void> {
  await mkdir(folder, { recursive: true })
  const browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
  try {
    const shoot = createCamera(folder, await browser.newPage(), tell)
    await letWork(browser, stage, 'grace')
    await shootProduct(browser, stage, shoot)
    await shootConsole(browser, stage, shoot)
  } finally {
    await browser.close()
  }
}

async function shootProduct(browser: Browser, stage: Stage, shoot: Camera): Promise<void> {
  const context = await browser.newContext({ viewport: VIEW, reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(stage.pageUrl)
  await page.click('[data-user=ada]')
  await page.waitForSelector('#stage:not([hidden])')
  await use(page)
  await everythingBilled(page, 4, 2)
  await shoot(page, 'product-light')

  await page.click('#offline')
  await page.click('#record-many')
  await paint(page, 0.62)
  await verdictSays(page, '(1,00')
  await shoot(page, 'offline-waiting')
  await page.click('#offline')
  await everythingBilled(page, 1_005, 1_002)
  await shoot(page, 'offline-delivered')

  await page.emulateMedia({ colorScheme: 'dark' })
  await page.click('#kill-relay')
  await page.click('#record-many')
  await page.waitForSelector('#kill-relay.dead')
  await verdictSays(page, '1,000 in this browser')
  await shoot(page, 'relay-killed-dark')
  await page.click('#kill-relay')
  await everythingBilled(page, 2_005, 2_002)

  await page.selectOption('#mood', 'refuses-webp')
  await page.selectOption('#format', 'webp')
  for (let each = 0; each < 3; each++) await page.click('#export')
  await verdictSays(page, ' 3 dead letters')
  await context.close()
}

/** Another customer, who is not in the picture: the console has more than one account. */
async function letWork(browser: Browser, stage: Stage, user: string): Promise<void> {
  const page = await browser.newPage()
  await page.goto(stage.pageUrl)
  await page.click(`[data-user=${user}]`)
  await page.waitForSelector('#stage:not([hidden])')
  await page.click('#record-many')
  await everythingBilled(page, 1_000, 1_000)
  await page.close()
}

/** A visitor who paints a little, keeps it and exports it. */
async function use(page: Page): Promise<void> {
  await page.check('[name=ink][value=magenta]')
  await paint(page, 0.3)
  await page.click('#save-copy')
  await page.click('#export')
  await page.selectOption('#format', 'jpeg')
  await page.click('#export')
}

/** One wave across the picture, at this part of its height. */
async function paint(page: Page, height: number): Promise<void> {
  const box = await page.locator('#picture').boundingBox()
  if (!box) throw new Error('The picture is not to be seen.')
  const at = (step: number): [number, number] => [
    box.x + box.width * (0.55 + (0.35 * step) / STROKE_STEPS),
    box.y + box.height * (height + 0.06 * Math.sin(step / 3)),
  ]
  await page.mouse.move(...at(0))
  await page.mouse.down()
  for (let step = 1; step <= STROKE_STEPS; step++) await page.mouse.move(...at(step), { steps: 2 })
  await page.mouse.up()
}

/** Waits until the page has seen at least so many events recorded and these exports used, and all of it billed. */
async function everythingBilled(page: Page, events: number, exported: number): Promise<void> {
  const isBilled = ([least, used]: readonly [number, number]): boolean => {
    const figure = (id: string): number =>
      Number.parseInt(document.getElementById(id)?.textContent?.replace(/,/g, '') ?? '', 10)
    const isGood = document.getElementById('verdict')?.getAttribute('data-state') === 'good'
    const isPaid = document.getElementById('bill-state')?.textContent === 'all billed'
    return isGood && isPaid && figure('verdict') >= least && figure('used-exports') === used
  }
  await page.waitForFunction(isBilled, [events, exported] as const, PATIENCE)
}

/** And the bill knows that something is on its way. */
async function verdictSays(page: Page, text: string): Promise<void> {
  const says = (wanted: string): boolean =>
    document.querySelector('#verdict')?.textContent?.includes(wanted) === true &&
    document.querySelector('#bill-state')?.textContent === 'some on its way'
  await page.waitForFunction(says, text, PATIENCE)
}
