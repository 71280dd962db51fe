import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, type CDPSession, chromium, type Page } from 'playwright'
import { CHROMIUM_FLAGS, requireEngine } from '../../test/support/engines.ts'
import { within } from './within.ts'

/** A folder for a profile, and how to be rid of it. */
export async function newProfile(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'metertap-bench-'))
  return {
    path,
    // A folder that stays behind is not worth a result.
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }).catch(() => {}),
  }
}

export interface OpenChromium {
  readonly context: BrowserContext
  /** Of the browser itself: it answers also while a page does not. */
  readonly session: CDPSession
  /** SIGKILL to every process: none may say a last word. Resolves when they are gone. */
  kill(): Promise<void>
  /** Closes it, or kills it when it does not close by itself; nothing of it stays behind. */
  close(): Promise<void>
}

const CLOSE_MS = 10_000

async function processOf(context: BrowserContext): Promise<{ readonly session: CDPSession; readonly pid: number }> {
  const session = await context.browser()?.newBrowserCDPSession()
  const processes = await session?.send('SystemInfo.getProcessInfo')
  const pid = processes?.processInfo.find(({ type }) => type === 'browser')?.id
  if (session && pid !== undefined) return { session, pid }
  throw new Error('This browser does not tell its processes.')
}

/** Playwright starts each browser as the head of a process group. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has gone.
  }
}

/** A real Chromium on a real profile: storage on disk, as a user has it. */
export async function launch(profile: string): Promise<OpenChromium> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: requireEngine('chromium'),
    args: [...CHROMIUM_FLAGS, '--enable-precise-memory-info', '--disable-popup-blocking'],
  })
  const isGone = new Promise((resolve) => context.once('close', resolve))
  const { session, pid } = await processOf(context).catch(async (error: unknown) => {
    await context.close()
    throw error
  })
  async function kill(): Promise<void> {
    killGroup(pid)
    await within(isGone, CLOSE_MS, () => {})
  }
  return {
    ...{ context, session, kill },
    async close() {
      await within(context.close(), CLOSE_MS, kill)
      killGroup(pid)
    },
  }
}

/** Opens a subject's page in a tab and waits until it is ready to record. */
export async function openSubject(page: Page, url: string, sinkUrl: string): Promise<Page> {
  await page.goto(`${url}/?sink=${encodeURIComponent(sinkUrl)}`)
  await page.waitForFunction(() => window.bench !== undefined)
  return page
}
