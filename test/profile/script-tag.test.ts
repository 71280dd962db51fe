import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { buildScriptFiles, type ScriptFile } from '../support/script-files.ts'
import { type SmallApp, startSmallApp } from '../support/small-app.ts'

/** As strict as a page can be that runs scripts of its own: no eval, no inline, not even strings as scripts. */
const POLICY = [
  "default-src 'none'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
]
const LATE_MS = 400

interface PageState {
  readonly receipts: { receipt: Promise<{ id?: string; error?: { code: string } }>; durable: Promise<string> }[]
  readonly violations: string[]
  readonly recordedAtMs: number
  readonly arrivedAtMs: number | undefined
  readonly metertap: object | undefined
  readonly usage: { stats(): object } | undefined
  readonly metertapQueue: { record(meter: string, data: unknown): PageState['receipts'][number] }
}

let browser: Browser
let app: SmallApp
let page: Page
let scripts: Readonly<Record<string, ScriptFile>>
let own: string

const file = (name: string): ScriptFile => scripts[name] as ScriptFile
const tag = (name: string, integrity = file(name).integrity) =>
  `<script async src="/${name}" integrity="${integrity}" crossorigin="anonymous"></script>`

function html(policy: string, body: string) {
  const headers = { 'content-type': 'text/html', 'content-security-policy': [...POLICY, policy].join('; ') }
  return { headers, content: `<!doctype html><title>page</title>${body}` }
}

/** Waits until the page's own script has run, and gives what came of its receipts. */
async function receipts(): Promise<unknown[]> {
  return page.evaluate(async () => {
    const state = globalThis as unknown as PageState
    return Promise.all(
      state.receipts.map(async ({ receipt, durable }) => {
        const { id, error } = await receipt
        return error ? [error.code, await durable.catch(({ code }) => code)] : [id?.slice(-2), await durable]
      }),
    )
  })
}

beforeAll(async () => {
  const options = { executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS }
  ;[scripts, browser] = await Promise.all([buildScriptFiles(), chromium.launch(options)])
  own = await readFile('test/profile/page/script-tag.js', 'utf8')
})
afterAll(() => browser.close())

beforeEach(async () => {
  const global = 'metertap.global.js'
  const queue = file('metertap.queue.js')
  const script = (content: string) => ({ content, headers: { 'content-type': 'text/javascript' } })
  const asFile = `<script src="/metertap.queue.js" integrity="${queue.integrity}" crossorigin="anonymous"></script>`
  const asText = `<script>${queue.content.trimEnd()}</script>`
  const ownTag = '<script src="/own.js"></script>'
  app = await startSmallApp({
    scripts: {},
    files: {
      '/metertap.global.js': script(file(global).content),
      '/metertap.queue.js': script(queue.content),
      '/own.js': script(own),
      '/files': html("script-src 'self'", asFile + ownTag + tag(global)),
      '/inline': html(`script-src 'self' ${queue.inline}`, asText + ownTag + tag(global)),
      '/changed': html("script-src 'self'", asFile + ownTag + tag(global, queue.integrity)),
    },
  })
  page = await browser.newPage()
})
afterEach(async () => {
  await page.close()
  await app.close()
})

describe('a page with script tags and a strict Content-Security-Policy', () => {
  it.each(['/files', '/inline'])('keeps what was recorded before the library arrived: %s', async (path) => {
    await page.route('**/metertap.global.js', async (route) => {
      await sleep(LATE_MS)
      await route.continue()
    })
    await page.goto(app.url + path)
    const taken = [
      ['-0', 'process'],
      ['-1', 'process'],
      ...['invalid_data', 'unknown_meter'].map((code) => [code, code]),
    ]
    expect(await receipts()).toEqual([...taken, ['invalid_data', 'invalid_data']])
    await vi.waitFor(() => expect(app.relay.ids).toHaveLength(2), { timeout: 45_000 })
    const { recordedAtMs, arrivedAtMs, violations } = await page.evaluate(() => {
      const { recordedAtMs, arrivedAtMs, violations } = globalThis as unknown as PageState
      return { recordedAtMs, arrivedAtMs, violations }
    })
    const [first, second] = [...app.relay.events.values()] as [string, number, object, string?][]
    expect(first).toEqual(['calls', expect.any(Number), { n: 1 }])
    expect(first?.[1]).toBeLessThanOrEqual(recordedAtMs)
    expect(arrivedAtMs).toBeGreaterThan(recordedAtMs)
    expect(second).toEqual(['calls', 5_000, { n: 2 }, 'order-7'])
    expect(violations).toEqual([])
  })

  it('records through the queue afterwards, too, and has the library as window.metertap', async () => {
    await page.goto(`${app.url}/files`)
    await receipts()
    const late = await page.evaluate(async () => {
      const { metertapQueue, metertap } = globalThis as unknown as PageState
      return [await metertapQueue.record('calls', { n: 5 }).durable, Object.keys(metertap ?? {}).sort()]
    })
    expect(late).toEqual(['process', ['MetertapError', 'createAgent', 'defineMeter']])
    await vi.waitFor(() => expect(app.relay.ids).toHaveLength(3), { timeout: 45_000 })
  })

  it('runs no file that was changed', async () => {
    const refused = page.waitForEvent('console', (message) => message.text().includes('integrity'))
    await page.goto(`${app.url}/changed`)
    await refused
    expect(await page.evaluate(() => (globalThis as unknown as PageState).arrivedAtMs)).toBeUndefined()
    expect(app.relay.requests).toEqual([])
  })

  it('pays less than a kilobyte for the queue', () => {
    expect(Buffer.byteLength(file('metertap.queue.js').content)).toBeLessThan(1_000)
  })
})
