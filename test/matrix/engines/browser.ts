import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import type { PageLine, Switchboard } from '../server/switchboard.ts'
import type { EngineDriver } from './contract.ts'
import { killAll, processTree } from './processes.ts'

export interface BrowserOptions {
  readonly driver: EngineDriver
  readonly profile: string
  readonly origin: string
  readonly switchboard: Switchboard
  readonly smallStorage?: boolean
}

const START_TIMEOUT_MS = 60_000
/** What a browser may take to write what it was told before its pages died. */
const SETTLE_MS = 500

const running = new Set<number>()
let pages = 0

/** A page id that was never used before. */
export function newPageId(): string {
  return `p${++pages}`
}

/** SIGKILL to every browser that runs, for a program that is told to end. */
export function killBrowsers(): void {
  for (const pid of running) killAll(processTree(pid))
}

/** A real browser on a profile of its own, started as a plain process and ended by signals. */
export class Browser {
  readonly #options: BrowserOptions
  #process: ChildProcess | undefined
  #root: PageLine | undefined
  #freeStorage: (() => Promise<void>) | undefined

  constructor(options: BrowserOptions) {
    this.#options = options
  }

  /** Starts it on the same profile as before; its first page only opens others. */
  async start(): Promise<void> {
    const { driver, origin, profile, switchboard, smallStorage = false } = this.#options
    await mkdir(profile, { recursive: true })
    if (smallStorage) this.#freeStorage ??= await driver.prepareSmallStorage?.(profile)
    const id = newPageId()
    const url = `${origin}/page?id=${id}`
    this.#process = await driver.launch({ profile, url, smallStorage })
    if (this.#process.pid !== undefined) running.add(this.#process.pid)
    this.#root = await switchboard.connect(id, START_TIMEOUT_MS)
    await driver.started?.({ profile, url, smallStorage })
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Opens a tab and waits until its page calls. */
  async openTab(): Promise<PageLine> {
    const id = newPageId()
    const line = this.#options.switchboard.connect(id)
    this.#root?.tell('openTab', `/page?id=${id}`)
    return line
  }

  /** SIGKILL to every process of it. */
  async kill(): Promise<void> {
    const browser = this.#process
    if (browser?.pid === undefined) return
    const tree = processTree(browser.pid)
    const ended = this.running ? once(browser, 'exit') : undefined
    killAll(tree)
    await ended
    running.delete(browser.pid)
    this.#process = undefined
  }

  /** SIGKILL to every process that runs pages; the browser's own lives on. Throws if there is none. */
  killRenderers(): void {
    const tree = processTree(this.#process?.pid ?? 0)
    const renderers = tree.filter(({ args }) => this.#options.driver.isRenderer(args))
    if (renderers.length === 0) throw new Error('The browser has no renderer process.')
    killAll(renderers)
  }

  /** After its pages have died: lets the browser finish what it has begun, and starts it anew. */
  async restart(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    await this.kill()
    await this.start()
  }

  /** Ends it and forgets its profile; it can be started again on a new one. */
  async close(): Promise<void> {
    await this.kill()
    await this.#freeStorage?.()
    this.#freeStorage = undefined
    await rm(this.#options.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}
