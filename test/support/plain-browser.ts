import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { playwright } from '@vitest/browser-playwright'
import type { BrowserProvider, BrowserProviderOption, TestProject } from 'vitest/node'
import { DRIVERS } from '../matrix/engines/drivers.ts'
import { killAll, processTree } from '../matrix/engines/processes.ts'

/** One browser as its users have it, on a profile of its own: opens vitest's page, and is killed when the tests are over. */
class PlainBrowser implements BrowserProvider {
  readonly name = 'plain'
  readonly supportsParallelism = false
  readonly #engine: 'firefox' | 'webkit'
  readonly #running = new Map<ChildProcess, string>()

  constructor(project: TestProject) {
    this.#engine = project.config.browser.name as 'firefox' | 'webkit'
  }

  getCommandsContext(): Record<string, unknown> {
    return {}
  }

  async openPage(_sessionId: string, url: string): Promise<void> {
    const profile = await mkdtemp(join(tmpdir(), `metertap-${this.#engine}-`))
    this.#running.set(await DRIVERS[this.#engine].launch({ profile, url, smallStorage: false }), profile)
  }

  async close(): Promise<void> {
    for (const [{ pid }, profile] of this.#running) {
      if (pid !== undefined) killAll(processTree(pid))
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    }
    this.#running.clear()
    await DRIVERS[this.#engine].dispose?.()
  }
}

/** What vitest asks of every provider before a file: these windows keep the size that they have. */
export const PLAIN_COMMANDS = { __vitest_viewport: (): void => {} }

/** A vitest provider for engines that need no driver's protocol: the tests drive themselves. */
export function plainBrowser(): BrowserProviderOption {
  return {
    // Vitest's own server for pages comes with any of its providers.
    serverFactory: playwright().serverFactory,
    name: 'plain',
    supportedBrowser: ['firefox', 'webkit'],
    options: {},
    providerFactory: (project) => new PlainBrowser(project),
  }
}
