import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ChromiumWindows } from '../electron/support/chromium-windows.ts'
import { ForkedMain } from '../electron/support/forked-main.ts'
import { type HttpRelay, serveRelay } from '../support/http-relay.ts'
import { TinyRelay } from '../support/tiny-relay.ts'

const WINDOWS = 8
const EVENTS = 300

let relay: TinyRelay
let server: HttpRelay
let folder: string
let main: ForkedMain
let windows: ChromiumWindows

beforeEach(async () => {
  relay = new TinyRelay()
  server = await serveRelay(relay.fetch)
  folder = await mkdtemp(join(tmpdir(), 'metertap-electron-'))
  const app = join(folder, 'app')
  main = await ForkedMain.start({
    userData: join(folder, 'userData'),
    relay: server.url,
    allowedOrigins: [`${pathToFileURL(app).href}/`],
  })
  windows = await ChromiumWindows.open(app, main)
})

afterEach(async () => {
  await windows.close()
  await main.kill()
  await server.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

const arrived = (meter: string) =>
  [...relay.events.values()].flatMap((event) => {
    const [name, , { n }] = event as [string, number, { n: number }]
    return name === meter ? [n] : []
  })

async function expectOnce(): Promise<void> {
  await vi.waitFor(
    async () => {
      await main.flush()
      expect(windows.durable.filter((id) => !relay.events.has(id))).toEqual([])
    },
    { timeout: 60_000, interval: 200 },
  )
  const seen = arrived('calls')
  expect(new Set(seen).size).toBe(seen.length)
  expect(relay.conflicts).toEqual([])
}

/** Open windows of pages that are gone are closed and sent, too. */
async function expectClicks(): Promise<void> {
  const sum = () => arrived('clicks').reduce((total, n) => total + n, 0)
  await vi.waitFor(() => expect(sum()).toBeGreaterThanOrEqual(windows.clicks), { timeout: 60_000 })
}

describe('pages in Chromium, opened as files, and their main process in another process', () => {
  it(`${WINDOWS} windows record at once: all of it arrives, once`, async () => {
    const pages = []
    for (let n = 0; n < WINDOWS; n++) pages.push(await windows.openPage())
    await Promise.all(
      pages.map((page, of) =>
        page.evaluate(
          ([from, count]) => window.electronPage?.record(from as number, count as number),
          [of * 1_000, EVENTS],
        ),
      ),
    )
    await vi.waitFor(() => expect(windows.durable).toHaveLength(WINDOWS * EVENTS), { timeout: 60_000 })
    await expectOnce()
    expect(relay.events.size).toBe(WINDOWS * EVENTS)
  })

  it('a page whose process crashes while it records: what was durable arrives, open windows too', async () => {
    const page = await windows.openPage()
    page.evaluate(() => window.electronPage?.recordForEver(0)).catch(() => {})
    await vi.waitFor(() => expect(windows.durable.length).toBeGreaterThan(100), { timeout: 60_000 })
    await windows.crash(page)
    await expectOnce()
    await expectClicks()
  })

  it('a worker of a page is terminated while it records: what was durable arrives, open windows too', async () => {
    const page = await windows.openPage()
    const end = await page.evaluateHandle(() => window.electronPage?.letWorkerRecord())
    await vi.waitFor(() => expect(windows.durable.length).toBeGreaterThan(100), { timeout: 60_000 })
    await end.evaluate((terminate) => terminate?.())
    await expectOnce()
    // The page is there all the time.
    await expectClicks()
    expect(await page.title()).toBe('Acme')
  })

  it('the main process is killed while pages record: what was durable arrives when it is back', async () => {
    const pages = [await windows.openPage(), await windows.openPage()]
    pages.forEach((page, of) => {
      page.evaluate((from) => window.electronPage?.recordForEver(from), of * 100_000).catch(() => {})
    })
    await vi.waitFor(() => expect(windows.durable.length).toBeGreaterThan(100), { timeout: 60_000 })
    await sleep(Math.random() * 200)
    await main.kill()
    await windows.close()
    main = await ForkedMain.start({
      userData: join(folder, 'userData'),
      relay: server.url,
      allowedOrigins: ['file://'],
    })
    await expectOnce()
    await expectClicks()
  })

  it('a page that is not the application’s may not', async () => {
    const page = await windows.openPage('about:blank')
    const answer = await page.evaluate(() => {
      const { call } = (window as unknown as { metertapBridge: { call(message: unknown): Promise<unknown> } })
        .metertapBridge
      return call({ v: 1, session: '018f0000-0000-7000-8000-000000000001', kind: 'hello' })
    })
    expect(answer).toMatchObject({ ok: false, error: { code: 'not_allowed' } })
  })
})
