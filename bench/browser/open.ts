import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { CHROMIUM_FLAGS, requireEngine } from '../../test/support/engines.ts'

/** A folder for a profile, and how to be rid of it. */
export async function newProfile(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'metertap-bench-'))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }) }
}

/** A real Chromium on a real profile: storage on disk, as a user has it. */
export function launch(profile: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, {
    executablePath: requireEngine('chromium'),
    args: [...CHROMIUM_FLAGS, '--enable-precise-memory-info', '--disable-popup-blocking'],
  })
}

/** Opens a subject's page in a tab and waits until it is ready to record. */
export async function openSubject(page: Page, url: string, sinkUrl: string): Promise<Page> {
  await page.goto(`${url}/?sink=${encodeURIComponent(sinkUrl)}`)
  await page.waitForFunction(() => window.bench !== undefined)
  return page
}
