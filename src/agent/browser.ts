import type { Outbox } from '../outbox/contract.ts'
import { openIdbOutbox } from '../outbox/idb/open.ts'
import { createMemoryOutbox } from '../outbox/memory/open.ts'
import { resilientOutbox } from '../outbox/resilient/open.ts'
import { browserRuntime } from '../runtime/browser.ts'
import type { Runtime } from '../runtime/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import type { Agent } from './agent.ts'
import { startAgent } from './create-agent.ts'
import type { AgentOptions } from './options.ts'
import type { AgentParts } from './running-agent.ts'

/** What the application hears when events cannot be stored: the reason, and what it means. */
function inMemory(cause: unknown): MetertapError {
  const reason = cause instanceof MetertapError ? ` ${cause.message}` : ''
  const code = cause instanceof MetertapError ? cause.code : 'outbox_unavailable'
  return new MetertapError(code, `Events are kept in memory and end with this page.${reason}`, {}, cause)
}

function outboxOpener(runtime: Runtime): AgentParts<Outbox>['openOutbox'] {
  const { now: clock, newStreamId: random, indexedDB, onLifecycle, setTimer } = runtime
  return async (name, watch) => {
    const onDegraded = (cause: unknown) => watch.onDegraded(inMemory(cause))
    try {
      const primary = await openIdbOutbox({ name, indexedDB, random, clock, onLifecycle, setTimer })
      return resilientOutbox({ primary, onDegraded, onRecovered: watch.onRecovered })
    } catch (cause) {
      onDegraded(cause)
      return createMemoryOutbox({ random })
    }
  }
}

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
export function createAgent(options: AgentOptions): Agent {
  const runtime = browserRuntime()
  return startAgent(options, { runtime, openOutbox: outboxOpener(runtime) })
}
