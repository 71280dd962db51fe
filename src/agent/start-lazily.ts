import type { Outbox } from '../outbox/contract.ts'
import { openIdbHome } from '../outbox/idb/home.ts'
import type { Runtime } from '../runtime/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import type { Agent } from './agent.ts'
import { lazyOutbox } from './lazy-outbox.ts'
import { LazySender } from './lazy-sender.ts'
import { createLoader, type Loader } from './loader.ts'
import { type AgentOptions, readOptions, refuse } from './options.ts'
import { type AgentParts, RunningAgent } from './running-agent.ts'
import type * as SecondPiece from './second-piece.ts'
import type { SendingOptions } from './sending.ts'
import type * as ThirdPiece from './third-piece.ts'

/** How each piece is fetched, such as by import(). */
export interface Pieces {
  readonly second: () => Promise<typeof SecondPiece>
  readonly third: () => Promise<typeof ThirdPiece>
}

/** What an application says to createAgent() of a page. */
export interface PageAgentOptions extends AgentOptions {
  /**
   * True when the origin's service worker calls drainUsage() of 'metertap/service-worker': events that cannot leave now
   * are sent by it when there is a network, also when every page is closed (Background Sync: Chromium). Default false.
   */
  readonly backgroundSync?: boolean
}

/** What the application hears when events cannot be stored: the reason, and what it means. */
function inMemory(cause: unknown): MetertapError {
  const reason = cause instanceof MetertapError ? ` ${cause.message}` : ''
  const code = cause instanceof MetertapError ? cause.code : 'outbox_unavailable'
  return new MetertapError(code, `Events are kept in memory and end with this page.${reason}`, {}, cause)
}

function outboxOpener(
  runtime: Runtime,
  loader: Loader<typeof SecondPiece>,
  rest: Loader<typeof ThirdPiece>,
): AgentParts<Outbox>['openOutbox'] {
  const { now: clock, newStreamId: random } = runtime
  return async (name, watch) => {
    const onDegraded = (cause: unknown) => watch.onDegraded(inMemory(cause))
    try {
      const home = await openIdbHome({ ...runtime, name, random, clock })
      return lazyOutbox({ home, loader, rest, onDegraded, onRecovered: watch.onRecovered })
    } catch (cause) {
      onDegraded(cause)
      return (await rest.get()).createMemoryOutbox({ random })
    }
  }
}

/**
 * Starts an agent whose further pieces are fetched when they are needed; what is recorded is stored without them.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startLazily(options: PageAgentOptions, runtime: Runtime, pieces: Pieces): Agent {
  const settings = readOptions(options)
  const { backgroundSync = false } = options
  if (typeof backgroundSync !== 'boolean') refuse('backgroundSync must be true or false.')
  const { random, setTimer } = runtime
  const loader = createLoader({ load: pieces.second, random, setTimer })
  const rest = createLoader({ load: pieces.third, random, setTimer })
  rest.onFailed = (error) => loader.onFailed(error)
  const parts = { runtime, openOutbox: outboxOpener(runtime, loader, rest) }
  const createSending = (given: SendingOptions) => new LazySender({ ...given, settings, loader, rest })
  const agent = new RunningAgent(settings, parts, createSending, rest, loader)
  if (backgroundSync) void rest.get().then(({ syncInBackground }) => syncInBackground(agent, runtime, settings))
  return agent
}
