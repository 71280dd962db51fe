import { type Agent, createAgent } from '../../src/index.ts'
import { type AgentHome, type AgentHomeKind, type AgentWishes, deskOf, METERS, tokenOf } from '../contract/agent-kit.ts'
import { TinyRelay } from './tiny-relay.ts'

let opened = 0

/** Requests to these origins are answered inside the page; all others go out. */
const relays = new Map<string, typeof fetch>()

function answerInside(): void {
  const outside = globalThis.fetch.bind(globalThis)
  globalThis.fetch = (input, init) => {
    const { origin } = new URL(input instanceof Request ? input.url : input, location.href)
    return (relays.get(origin) ?? outside)(input, init)
  }
}

function setOnline(isOnline: boolean): void {
  Object.defineProperty(navigator, 'onLine', { configurable: true, value: isOnline })
  globalThis.dispatchEvent(new Event(isOnline ? 'online' : 'offline'))
}

export interface PageHome extends AgentHome {
  /** As start(), at once. */
  readonly startNow: (wishes?: AgentWishes) => Agent
}

export async function openPageHome(): Promise<PageHome> {
  if (opened++ === 0) answerInside()
  const relay = deskOf(new TinyRelay())
  const origin = `https://relay-${opened}.test`
  const outbox = `agent-${opened}-${crypto.randomUUID()}`
  relays.set(origin, relay.fetch)
  const startNow = (wishes: AgentWishes = {}) =>
    createAgent({ relay: origin, token: () => tokenOf(wishes.account), meters: METERS, outbox, ...wishes })
  return {
    relay,
    startNow,
    start: async (wishes) => startNow(wishes),
    setOnline,
    end: () => {
      relays.delete(origin)
      Reflect.deleteProperty(navigator, 'onLine')
    },
  }
}

/** createAgent() of the page's entry as it is, in a real browser: IndexedDB, locks, channels. */
export function agentHomeOfPage(name: string): AgentHomeKind {
  return {
    name,
    ...{ plain: 'process', strict: 'power', keeps: true, shares: true, hearsNetwork: true },
    open: openPageHome,
  }
}
