import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { killBrowser } from '../../demo/replay/browser.ts'
import type * as Metertap from '../../src/index.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { openTestRelay, type TestRelay } from '../support/relay-fixture.ts'

declare global {
  interface Window {
    readonly metertap: typeof Metertap
    readonly usage: Metertap.Agent
    readonly calls: Metertap.Meter
  }
}

/** An Electron page without a main process's agent: nothing but a file, its script and IndexedDB. */
const page = (relay: string, token: string) => `<!doctype html><meta charset="utf-8"><title>Acme</title>
<script src="metertap.global.js"></script>
<script>
const anything = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
var calls = metertap.defineMeter('calls', anything)
var usage = metertap.createAgent({ relay: '${relay}', token: () => '${token}', meters: [calls], flushIntervalMs: 200 })
</script>`

describe('a page that is a file, with its outbox in IndexedDB', () => {
  let relay: TestRelay
  let folder: string
  let context: BrowserContext

  const received = async () => (await relay.relay.store.totals()).received

  async function openRelay(origins: readonly string[]): Promise<void> {
    relay = await openTestRelay({ origins })
    relay.clock.nowMs = Date.now()
    const { url } = await relay.relay.start()
    await writeFile(join(folder, 'index.html'), page(url, await relay.token()))
  }

  async function visit(): Promise<Page> {
    const options = { executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS }
    context = await chromium.launchPersistentContext(join(folder, 'profile'), options)
    const tab = context.pages()[0] ?? (await context.newPage())
    await tab.goto(pathToFileURL(join(folder, 'index.html')).href)
    return tab
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'metertap-file-page-'))
    await copyFile('dist/metertap.global.js', join(folder, 'metertap.global.js'))
  })

  afterEach(async () => {
    await context.close()
    await relay.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  })

  it('delivers to a relay that allows the origin "null", also what a killed browser left', async () => {
    await openRelay(['null'])
    const tab = await visit()
    expect(await tab.evaluate(() => window.origin)).toBe('null')
    const record = () => window.usage.record(window.calls, { quantity: 1 }).durable
    expect(await tab.evaluate(record)).toBe('process')
    await vi.waitFor(async () => expect(await received()).toBe(1), { timeout: 60_000 })

    await context.setOffline(true)
    await tab.evaluate(record)
    await killBrowser(context)
    await visit()
    await vi.waitFor(async () => expect(await received()).toBe(2), { timeout: 60_000 })
  })

  it('keeps its events where the relay does not allow it, and says so', async () => {
    await openRelay(['https://app.acme.com'])
    const tab = await visit()
    await tab.evaluate(() => window.usage.record(window.calls, { quantity: 1 }).durable)
    const trouble = () => tab.evaluate(() => window.usage.stats().lastTrouble?.code)
    await vi.waitFor(async () => expect(await trouble()).toBe('relay_unreachable'), { timeout: 60_000 })
    expect(await received()).toBe(0)
    expect(await tab.evaluate(() => window.usage.stats().waiting)).toBe(1)
  })
})
