import { pageRuntime } from '../runtime/page.ts'
import type { Agent } from './agent.ts'
import { type PageAgentOptions, startLazily } from './start-lazily.ts'

/**
 * Starts the agent of this page: opens the outbox, takes part in sending what waits in it, also from earlier visits.
 * One agent per page and account is enough; make it where the application starts.
 *
 * @throws MetertapError `bad_option` when an option cannot be used.
 * @example
 * const usage = createAgent({
 *   relay: 'https://usage.acme.com',
 *   token: () => fetch('/usage-token').then((answer) => answer.text()),
 *   meters: [apiCalls],
 * })
 */
export function createAgent(options: PageAgentOptions): Agent {
  return startLazily(options, pageRuntime(), {
    second: () => import('./second-piece.ts'),
    third: () => import('./third-piece.ts'),
  })
}
