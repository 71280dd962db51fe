import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readBlocks } from '../support/docs/blocks.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { type Followed, followPage } from './support/follow-page.ts'

/** Of the relay, its console and the stand-in, in every page. */
const PORTS = ['8787', '8788', '8789']
const WAIT = { timeout: 60_000, interval: 200 }
const SETUP_MS = 240_000

if (!existsSync('dist/index.js')) throw new Error('There is nothing to pack: run `npm run build` first.')

/** The events in what the stand-in prints. */
function rowsIn(text: string): Record<string, unknown>[] {
  return [...text.matchAll(/^api-calls (\{.*\})$/gm)].map(([, row = '']) => JSON.parse(row))
}

/** The stand-in has printed this event alone, as the page shows it, and its ledger has it once. */
async function expectBilledOnce(page: string, { terminals, ports, printed }: Followed, id: string): Promise<void> {
  const standIn = () => terminals[0]?.printed() ?? ''
  await expect
    .poll(standIn, WAIT)
    .toContain(id)
    .catch((error) => {
      throw new Error(`No event ${id}.\n${printed()}`, { cause: error })
    })
  const [shown = {}] = rowsIn(
    readBlocks(page)
      .map(({ code }) => code)
      .join('\n'),
  )
  const when = expect.stringMatching(/^[\d-]+T[\d:]+Z$/)
  expect(rowsIn(standIn())).toEqual([{ ...shown, UsageIdentifier: id, UsageDate: when }])
  const answer = await fetch(`http://127.0.0.1:${ports['8789']}/_standin/ledger`)
  const { meters } = (await answer.json()) as { meters: Record<string, { billable: number; duplicates: number }> }
  expect(meters['api-calls']).toMatchObject({ billable: 1, duplicates: 0 })
}

const START = 'docs/getting-started.md'
describe(`${START}, followed to the letter`, () => {
  let followed: Followed
  let browser: Browser
  let context: BrowserContext
  beforeAll(async () => {
    followed = await followPage(START, ['5173', '3000', ...PORTS])
    browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
    // One visitor: what a closed tab left is there for the next one.
    context = await browser.newContext()
  }, SETUP_MS)
  afterAll(async () => {
    await browser?.close()
    await followed?.close()
  }, 60_000)

  async function open(): Promise<Page> {
    const page = await context.newPage()
    await page.goto(`http://localhost:${followed.ports['5173']}`)
    // The last that the page loads.
    await page.locator('metertap-inspector').waitFor({ state: 'attached', timeout: WAIT.timeout })
    return page
  }

  async function click(page: Page): Promise<string> {
    await page.click('button')
    const output = page.locator('output')
    await expect.poll(() => output.textContent(), WAIT).toMatch(/ survives the end of the process\./)
    return (await output.textContent())?.split(' ')[0] ?? ''
  }

  it('ends with the click in the ledger of the stand-in, once', async () => {
    const page = await open()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error)))
    await expectBilledOnce(START, followed, await click(page))
    expect(complaints).toEqual([])
    await page.close()
  })

  it('has a console', async () => {
    const page = await context.newPage()
    await page.goto(`http://127.0.0.1:${followed.ports['8788']}/console`)
    expect(await page.title()).toContain('metertap')
    await page.close()
  })

  it('loses nothing when the relay is stopped, a tab clicked and closed, and the relay started again', async () => {
    const [, relay] = followed.terminals
    await relay?.close()
    const away = await open()
    const id = await click(away)
    await away.close()
    relay?.again()
    const back = await open()
    await expect.poll(() => followed.terminals[0]?.printed(), WAIT).toContain(id)
    await back.close()
  })
})

describe.each([
  ['docs/getting-started-node.md', PORTS],
  ['docs/getting-started-workers.md', ['8786', ...PORTS]],
])('%s, followed to the letter', (page, ports) => {
  let followed: Followed
  beforeAll(async () => {
    followed = await followPage(page, ports)
  }, SETUP_MS)
  afterAll(() => followed?.close(), 60_000)

  it('ends with the event in the ledger of the stand-in, once', async () => {
    const id = /[0-9a-f-]{36}-0/.exec(followed.said)?.[0]
    expect(id, followed.said).toBeDefined()
    await expectBilledOnce(page, followed, id ?? '')
  })
})
