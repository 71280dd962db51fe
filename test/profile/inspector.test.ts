import { readFile } from 'node:fs/promises'
import axe from 'axe-core'
import { type Browser, chromium, type Locator, type Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { type InspectedPage, openInspected, startInspectedApp } from '../support/inspected-page.ts'
import type { SmallApp } from '../support/small-app.ts'

declare global {
  interface Window {
    /** Injected by the test. */
    axe: typeof axe
  }
}

const WAIT = { timeout: 45_000, interval: 50 }

let browser: Browser
let app: SmallApp
/** Ends what a test opened. */
let pages: Page[]

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
})
afterAll(() => browser.close())
beforeEach(async () => {
  app = await startInspectedApp()
  pages = []
  return async () => {
    await Promise.all(pages.map((page) => page.context().close()))
    await app.close()
  }
})

type Options = Parameters<typeof openInspected>[2]

async function open(kind = '/strict', options: Options = {}): Promise<InspectedPage> {
  const opened = await openInspected(browser, app.url + kind, options)
  pages.push(opened.page)
  return opened
}

const record = (page: Page, count: number): Promise<string | undefined> =>
  page.evaluate((given) => window.inspected?.record(given), count)
const panelOf = (page: Page): Locator => page.getByRole('region', { name: 'metertap inspector' })

/** The panel's figures, in the order they stand: recorded, on disk, in flight, accepted, dead. */
async function figures(page: Page): Promise<string> {
  return (await page.locator('metertap-inspector .figures dd').allTextContents()).join(' ')
}

const fact = (page: Page, name: string): Promise<string | null> =>
  page
    .locator('.facts > div', { has: page.getByText(name, { exact: true }) })
    .locator('dd')
    .textContent()

async function rows(page: Page, tab: RegExp): Promise<string[]> {
  await page.getByRole('tab', { name: tab }).click()
  const found = page.getByRole('tabpanel').getByRole('listitem')
  return (await found.allTextContents()).map((text) =>
    text
      .replaceAll(/\d\d:\d\d:\d\d/g, '')
      .replaceAll(/\s+/g, ' ')
      .trim(),
  )
}

async function buryOne(page: Page): Promise<string | undefined> {
  app.relay.rejects = () => ({ code: 'unknown_meter', detail: 'secret detail' })
  const id = await record(page, 1)
  await expect.poll(() => figures(page), WAIT).toMatch(/ 1$/)
  app.relay.rejects = () => undefined
  return id
}

describe('the inspector', () => {
  it('follows what is recorded, flushed, accepted and dead, and says nothing of the data', async () => {
    const { page, complaints } = await open()
    expect(await figures(page)).toBe('0 0 0 0 0')
    const id = await record(page, 3)
    await expect.poll(() => figures(page), WAIT).toBe('3 0 0 3 0')
    await expect.poll(() => rows(page, /Events/), WAIT).toEqual([`${id}…2 3 events accepted`])
    const dead = await buryOne(page)
    expect(await figures(page)).toBe('4 0 0 3 1')
    await expect.poll(() => rows(page, /Dead letters \(1\)/), WAIT).toHaveLength(1)
    const [letter] = await rows(page, /Dead/)
    expect(letter).toContain(dead)
    expect(letter).toMatch(/calls unknown_meter$/)
    const timeline = await rows(page, /Timeline/)
    expect(timeline).toContain('stored 3 events, on disk (process)')
    expect(timeline).toContain('accepted 3 events by the relay')
    expect(timeline.some((row) => /^flush (interval|leader)/.test(row))).toBe(true)
    expect(timeline).toContain(`dead unknown_meter: ${dead}`)
    expect(await fact(page, 'Token')).toBe('taken')
    const shown = await page.evaluate(() => document.querySelector('metertap-inspector')?.shadowRoot?.textContent)
    expect(shown).not.toMatch(/secret detail|"n":|token-1/)
    expect(complaints).toEqual([])
  })

  it('goes offline and back, flushes, sends dead letters again, by clicks', async () => {
    const { page } = await open()
    await page.getByRole('switch', { name: 'Offline' }).click()
    await expect.poll(() => fact(page, 'Paused by'), WAIT).toBe('inspector-offline')
    await record(page, 5)
    await page.getByRole('button', { name: 'Flush now' }).click()
    await expect.poll(() => panelOf(page).textContent(), WAIT).toContain('0 events accepted, 5 events waiting.')
    expect(await figures(page)).toBe('5 5 0 0 0')
    expect(app.relay.events.size).toBe(0)
    await page.getByRole('switch', { name: 'Offline' }).click()
    await expect.poll(() => figures(page), WAIT).toBe('5 0 0 5 0')
    await buryOne(page)
    await page.getByRole('tab', { name: /Dead/ }).click()
    await page.getByRole('button', { name: 'Send all again' }).click()
    await expect.poll(() => figures(page), WAIT).toBe('6 0 0 6 0')
    expect(app.relay.events.size).toBe(6)
  })

  it('shows the token’s trouble and a relay that does not answer', async () => {
    const { page } = await open()
    app.relay.accepts = () => false
    await record(page, 1)
    await expect.poll(() => fact(page, 'Token'), WAIT).toBe('refused, or cannot be had')
    expect(await fact(page, 'Paused by')).toContain('auth')
    await expect.poll(() => fact(page, 'Last trouble'), WAIT).toContain('unauthorized')
    app.relay.accepts = () => true
    await page.getByRole('button', { name: 'Flush now' }).click()
    await expect.poll(() => figures(page), WAIT).toBe('1 0 0 1 0')
    await app.setDown(true)
    await record(page, 1)
    await expect.poll(() => fact(page, 'Next try'), WAIT).toMatch(/^in \d+ s$/)
    expect(await panelOf(page).textContent()).toContain('Tries again: relay_unreachable.')
    await app.setDown(false)
  })

  it('exports a report without data, and dead letters with theirs', async () => {
    const { page } = await open()
    await record(page, 2)
    await expect.poll(() => figures(page), WAIT).toBe('2 0 0 2 0')
    await buryOne(page)
    const saved = async (name: string): Promise<string> => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()])
      return readFile(await download.path(), 'utf8')
    }
    const report = await saved('Export report')
    expect(JSON.parse(report)).toMatchObject({
      stats: { recorded: 3, deadLetters: 1 },
      streams: [{ recorded: 3, dead: 1 }],
    })
    expect(report).not.toMatch(/"n":|token-1|secret detail/)
    await page.getByRole('tab', { name: /Dead/ }).click()
    const letters = await saved('Export NDJSON')
    expect(JSON.parse(letters)).toMatchObject({ code: 'unknown_meter', event: ['calls', expect.any(Number), { n: 0 }] })
    await page.getByRole('button', { name: 'Show data' }).click()
    await expect.poll(() => panelOf(page).textContent(), WAIT).toContain('secret detail')
  })

  it('is used by keyboard alone', async () => {
    const { page } = await open()
    await page.locator('h1').click()
    const press = async (...keys: string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key)
    }
    const focused = (): Promise<string | null | undefined> =>
      page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.textContent)
    await press('Tab')
    expect(await focused()).toContain('metertap')
    await press('Tab', 'Space')
    await expect.poll(() => page.getByRole('switch').getAttribute('aria-checked'), WAIT).toBe('true')
    await record(page, 2)
    await press('Space', 'Tab', 'Enter')
    await expect.poll(() => figures(page), WAIT).toBe('2 0 0 2 0')
    await press('Tab', 'Tab')
    expect(await focused()).toBe('Timeline')
    await press('ArrowLeft')
    expect(await focused()).toMatch(/^Dead letters/)
    await press('Home', 'ArrowRight', 'Tab')
    expect(await page.getByRole('tabpanel', { name: 'Events' }).isVisible()).toBe(true)
    expect(await focused()).toContain('2 events')
    await press('Escape')
    expect(await focused()).toContain('2 recorded, 0 waiting')
    expect(await page.getByRole('tablist').isVisible()).toBe(false)
    await press('Enter')
    expect(await page.getByRole('tablist').isVisible()).toBe(true)
  })

  it.each(['light', 'dark'] as const)(
    'has nothing that axe finds fault with, in %s, and breaks no strict policy',
    async (colorScheme) => {
      const { page, complaints } = await open('/strict', { colorScheme, acceptDownloads: true })
      const faults = async (): Promise<string[]> => {
        await page.evaluate(axe.source)
        const { violations } = await page.evaluate(() => window.axe.run(document))
        return violations.flatMap(({ id, nodes }) =>
          nodes.map(({ target, failureSummary }) => `${id} ${target} ${failureSummary}`),
        )
      }
      await record(page, 3)
      await expect.poll(() => figures(page), WAIT).toBe('3 0 0 3 0')
      await buryOne(page)
      await page.getByRole('button', { name: 'Flush now' }).click()
      await page.getByRole('button', { name: 'Export report' }).click()
      for (const tab of ['Timeline', 'Events', 'Dead']) await page.getByRole('tab', { name: tab }).click()
      await page.getByRole('button', { name: 'Show data' }).click()
      await expect.poll(() => panelOf(page).textContent(), WAIT).toContain('secret detail')
      expect(await page.evaluate(() => window.inspected?.violations)).toEqual([])
      expect(complaints).toEqual([])
      for (const tab of ['Dead', 'Events', 'Timeline']) {
        await page.getByRole('tab', { name: tab }).click()
        expect(await faults()).toEqual([])
      }
      await page.keyboard.press('Escape')
      expect(await faults()).toEqual([])
      const [paper] = await page
        .locator('.panel')
        .evaluateAll((found) => found.map((each) => getComputedStyle(each).backgroundColor))
      expect(paper).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(27, 29, 34)')
    },
  )

  it('looks the same in a page whose style sheet spoils everything else', async () => {
    const looks = async (kind: string): Promise<unknown> => {
      const { page } = await open(kind, { colorScheme: 'dark', viewport: { width: 800, height: 700 } })
      await record(page, 2)
      await expect.poll(() => figures(page), WAIT).toBe('2 0 0 2 0')
      return page.locator('metertap-inspector').evaluate((element) => {
        const all = [element, ...(element.shadowRoot?.querySelectorAll('*') ?? [])]
        return all.map((each) => {
          const { color, fontSize, letterSpacing, textTransform, opacity, display, position, lineHeight } =
            getComputedStyle(each)
          const { left, width, height } = each.getBoundingClientRect()
          return [
            each.localName,
            color,
            fontSize,
            letterSpacing,
            textTransform,
            opacity,
            display,
            position,
            lineHeight,
            left,
            width,
            height,
          ]
        })
      })
    }
    const plain = (await looks('/strict')) as unknown[][]
    // Rows of the timeline may differ by a flush, so what has a fixed place is compared.
    const fixed = (all: unknown[][]): unknown[][] =>
      all.filter(([name]) => !['li', 'span', 'ol'].includes(String(name)))
    expect(fixed((await looks('/hostile')) as unknown[][])).toEqual(fixed(plain))
  })

  it.each([320, 1_000])('fits a window %d px wide, without a scroll bar to the side', async (width) => {
    const { page } = await open('/strict', { viewport: { width, height: 600 } })
    await record(page, 12_345)
    await expect.poll(() => figures(page), WAIT).toBe('12,345 0 0 12,345 0')
    const wide = await page.locator('metertap-inspector').evaluate((element) => {
      const all = [document.documentElement, ...(element.shadowRoot?.querySelectorAll('*') ?? [])]
      const over = all.filter((each) => each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1)
      const { left, right, top, bottom } = element.getBoundingClientRect()
      return {
        over: over.map((each) => each.outerHTML),
        isInside: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight,
      }
    })
    expect(wide).toEqual({ over: [], isInside: true })
  })

  it('uses the page’s own element, shows one of several agents, and leaves nothing behind', async () => {
    const { page } = await open('/inline')
    expect(await page.locator('metertap-inspector').count()).toBe(1)
    expect(await page.locator('main > metertap-inspector:not([corner])').count()).toBe(1)
    await record(page, 2)
    await page.evaluate(() => window.inspected?.addAgent('second'))
    await page.getByRole('combobox', { name: 'Agent' }).selectOption('second')
    await expect.poll(() => figures(page), WAIT).toBe('0 0 0 0 0')
    await page.getByRole('combobox', { name: 'Agent' }).selectOption('agent 1')
    await expect.poll(() => figures(page), WAIT).toBe('2 0 0 2 0')
    await page.getByRole('switch').click()
    await page.evaluate(() => window.inspected?.inspection.close())
    expect(await page.evaluate(() => window.inspected?.usage.stats().pausedBy)).toEqual([])
    await expect.poll(() => figures(page), WAIT).toBe('0 0 0 0 0')

    const { page: other } = await open('/strict')
    await other.evaluate(() => window.inspected?.inspection.close())
    expect(await other.locator('metertap-inspector').count()).toBe(0)
  })
  it('asks nothing of the agent while its page is hidden, and catches up when it is shown', async () => {
    const { page } = await open()
    await record(page, 1)
    await expect.poll(() => figures(page), WAIT).toBe('1 0 0 1 0')
    const setHidden = (isHidden: boolean): Promise<void> =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: hidden })
        document.dispatchEvent(new Event('visibilitychange'))
      }, isHidden)
    await setHidden(true)
    const looks = await page.evaluate(async (watchMs) => {
      const { usage } = window.inspected ?? {}
      if (!usage) return undefined
      const stats = usage.stats.bind(usage)
      let looks = 0
      usage.stats = () => {
        looks++
        return stats()
      }
      await new Promise((resolve) => setTimeout(resolve, watchMs))
      return looks
    }, 1_000)
    expect(looks).toBe(0)
    await record(page, 2)
    expect(await figures(page)).toBe('1 0 0 1 0')
    await setHidden(false)
    await expect.poll(() => figures(page), WAIT).toBe('3 0 0 3 0')
  })
})
