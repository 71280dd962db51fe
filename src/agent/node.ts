import { MetertapError } from '../wire/errors.ts'
import type { Agent } from './agent.ts'
import { startAgent } from './create-agent.ts'
import { nodeParts } from './node-parts.ts'
import { attendProcess, type ProcessEndOptions } from './node-process.ts'
import type { AgentOptions } from './options.ts'

/** What an application on Node says to createAgent(). */
export interface NodeAgentOptions extends AgentOptions {
  /**
   * Where the outbox is, on a local disk; made when it is missing, readable by its owner only. Give each service its own,
   * and all of that service's processes and worker threads the same: they share what waits.
   */
  readonly folder: string
  /**
   * Signals on which what waits is sent before the process ends. When nothing else listens to them the process then ends
   * by the signal, as it would have without; else ending it is the other listener's business. Default both; [] for none.
   */
  readonly signals?: readonly ('SIGTERM' | 'SIGINT')[]
  /** How long a signal, or the end of all other work, waits for what is being sent, ms. Default 2,000. */
  readonly exitFlushMs?: number
}

/**
 * Starts an agent in this process. Its outbox is open when this returns, so an event is on the disk one microtask after
 * its record(), and at the latest when the process exits. Nothing of the agent keeps the process alive.
 *
 * The folder not being usable is no error here: events are kept in memory, the event 'degraded' says why, and each second
 * the next call tries again.
 *
 * @throws MetertapError `bad_option` when an option cannot be used.
 * @example
 * const usage = createAgent({
 *   folder: '/var/lib/acme/usage',
 *   relay: 'https://usage.acme.com',
 *   token: grantTokens({ relay: 'https://usage.acme.com', keyId, secret, account, device, meters: [apiCalls] }),
 *   meters: [apiCalls],
 * })
 */
export function createAgent(options: NodeAgentOptions): Agent {
  const { folder, ...end } = readNodeOptions(options)
  let leave = () => {}
  const { runtime, openOutbox } = nodeParts({ folder, outbox: options.outbox ?? 'metertap' })
  const agent = startAgent(options, {
    runtime,
    openOutbox(name, watch) {
      const outbox = openOutbox(name, watch)
      return {
        ...outbox,
        async close() {
          leave()
          await outbox.close()
        },
      }
    },
  })
  leave = attendProcess(agent, runtime, end)
  return agent
}

function readNodeOptions(options: NodeAgentOptions): ProcessEndOptions & { readonly folder: string } {
  const { folder, signals = ['SIGTERM', 'SIGINT'], exitFlushMs = 2_000 } = options ?? {}
  if (typeof folder !== 'string' || folder === '') refuse('folder must be the path of a folder for the outbox.')
  if (!Array.isArray(signals) || signals.some((signal) => signal !== 'SIGTERM' && signal !== 'SIGINT'))
    refuse("signals must be a list of 'SIGTERM' and 'SIGINT', or empty.")
  if (!Number.isSafeInteger(exitFlushMs) || exitFlushMs < 0 || exitFlushMs > 600_000)
    refuse('exitFlushMs must be a whole number from 0 to 600000.')
  return { folder, signals, exitFlushMs }
}

function refuse(text: string): never {
  throw new MetertapError('bad_option', `createAgent: ${text}`)
}
