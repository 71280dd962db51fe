import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { CHROMIUM_FLAGS, requireEngine } from '../../support/engines.ts'
import type { ForkedMain, ForkedWindow } from './forked-main.ts'

/** Electron's part in a sandboxed, context-isolated window: two functions, and everything that passes is copied. */
const AROUND_PRELOAD = (preload: string) => `(() => {
  const contextBridge = {
    exposeInMainWorld: (key, api) => {
      const call = async (message) => structuredClone(await api.call(structuredClone(message)))
      Object.defineProperty(window, key, { value: Object.freeze({ version: api.version, call }) })
    },
  }
  const ipcRenderer = { invoke: (channel, message) => window.electronIpc(channel, message) }
  const require = () => ({ contextBridge, ipcRenderer })
  ${preload}
})()`

/** Windows of a real Chromium, whose IPC goes to a main process in another process. */
export class ChromiumWindows {
  /** Ids of receipts that pages called durable. */
  readonly durable: string[] = []
  clicks = 0
  readonly #context: BrowserContext
  readonly #windows = new Map<Page, ForkedWindow>()
  readonly #url: string
  readonly #main: ForkedMain

  private constructor(context: BrowserContext, url: string, main: ForkedMain) {
    this.#context = context
    this.#url = url
    this.#main = main
  }

  /** `folder` gets the application's page: it is opened as a file. */
  static async open(folder: string, main: ForkedMain): Promise<ChromiumWindows> {
    const url = await makePage(folder)
    const browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
    const context = await browser.newContext()
    const windows = new ChromiumWindows(context, url, main)
    await context.exposeBinding('electronIpc', ({ page, frame }, channel: string, message: unknown) => {
      if (channel !== 'metertap') throw new Error('No such channel.')
      return windows.#windowOf(page, frame.url()).invoke(message)
    })
    await context.exposeBinding('told', (_source, id: string, meter: string) => {
      if (meter === 'calls') windows.durable.push(id)
      else windows.clicks++
    })
    await context.addInitScript(AROUND_PRELOAD(await readFile('dist/electron-preload.cjs', 'utf8')))
    return windows
  }

  async openPage(url: string = this.#url): Promise<Page> {
    const page = await this.#context.newPage()
    page.on('crash', () => this.#windows.get(page)?.gone('crash'))
    page.on('close', () => this.#windows.get(page)?.gone('close'))
    await page.goto(url)
    return page
  }

  /** The page's process dies. */
  async crash(page: Page): Promise<void> {
    const crashed = page.waitForEvent('crash')
    const session = await this.#context.newCDPSession(page)
    session.send('Page.crash').catch(() => {})
    await crashed
  }

  async close(): Promise<void> {
    await this.#context.browser()?.close()
  }

  #windowOf(page: Page, url: string): ForkedWindow {
    const known = this.#windows.get(page)
    if (known) return known
    const { protocol, origin } = new URL(url)
    const window = this.#main.openWindow({ origin: protocol === 'file:' ? 'file://' : origin, url })
    this.#windows.set(page, window)
    return window
  }
}

/** A script of this folder, for Chromium. */
async function bundle(name: string, define: Record<string, string> = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    ...{ bundle: true, format: 'iife', write: false, logLevel: 'error', define },
  })
  return outputFiles[0]?.text ?? ''
}

async function makePage(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const worker = await bundle('page-worker.ts')
  await writeFile(join(folder, 'page.js'), await bundle('page.ts', { PAGE_WORKER: JSON.stringify(worker) }))
  const file = join(folder, 'index.html')
  await writeFile(file, '<!doctype html><meta charset="utf-8"><title>Acme</title><script src="page.js"></script>')
  return pathToFileURL(file).href
}
