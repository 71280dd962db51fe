import { startAgent } from '../../src/agent/create-agent.ts'
import type { Outbox } from '../../src/outbox/contract.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import type { LifecycleEvent, Runtime } from '../../src/runtime/contract.ts'
import { type AgentHomeKind, deskOf, METERS, tokenOf } from '../contract/agent-kit.ts'
import { TinyRelay } from './tiny-relay.ts'

export interface InsideHomeOptions extends Omit<AgentHomeKind, 'open'> {
  /** Opens one of the home's outboxes. */
  readonly openOutbox: (name: string, runtime: Runtime) => Promise<Outbox>
}

let opened = 0

/** The page's agent outside a page: real timers, gzip, locks and channels of the platform, a life cycle told by hand. */
export function agentHomeInside({ openOutbox, ...kind }: InsideHomeOptions): AgentHomeKind {
  return {
    ...kind,
    async open() {
      const relay = deskOf(new TinyRelay())
      const outbox = `agent-${++opened}-${crypto.randomUUID()}`
      const listeners = new Set<(event: LifecycleEvent) => void>()
      let isOnline = true
      const runtime: Runtime = {
        ...browserRuntime(),
        fetch: relay.fetch,
        online: () => isOnline,
        onLifecycle(listener) {
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
      }
      return {
        relay,
        start: async (wishes = {}) => {
          const token = () => tokenOf(wishes.account)
          const options = { relay: 'https://relay.test', token, meters: METERS, outbox, ...wishes }
          return startAgent(options, { runtime, openOutbox: (name) => openOutbox(name, runtime) })
        },
        setOnline(online) {
          isOnline = online
          for (const listener of listeners) listener(online ? 'online' : 'offline')
        },
      }
    },
  }
}
