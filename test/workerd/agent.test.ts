import { env } from 'cloudflare:test'
import { forgetDesks } from '../../src/agent/worker/isolate.ts'
import { createAgent, type OutboxNamespace } from '../../src/worker.ts'
import { agentContract } from '../contract/agent.ts'
import { type AgentHomeKind, deskOf, METERS, type RelayDesk, tokenOf } from '../contract/agent-kit.ts'
import { TinyRelay } from '../support/tiny-relay.ts'
import { bench } from './support/bench.ts'

const NOBODY = 'nobody'

/** What the tests made of a Response belongs to their own context: an object must not read it. */
function ownAnswers({ fetch }: Pick<TinyRelay, 'fetch'>): typeof globalThis.fetch {
  return async (input, init) => {
    const answer = await fetch(input, init)
    return answer.ok ? answer : new Response('', { status: answer.status, headers: [...answer.headers] })
  }
}

/** Agents of a Worker, each in an isolate of its own, as far as it can tell. */
function workerHome(kind: Pick<AgentHomeKind, 'name' | 'plain' | 'strict' | 'keeps' | 'shares'>): AgentHomeKind {
  return {
    ...kind,
    hearsNetwork: false,
    limits: false,
    looks: false,
    nobody: NOBODY,
    async open() {
      const relay: RelayDesk & Pick<TinyRelay, 'fetch'> = deskOf(new TinyRelay())
      const fetch = ownAnswers(relay)
      const prefix = crypto.randomUUID()
      const { USAGE_OUTBOX: objects } = env
      const namespace: OutboxNamespace = {
        idFromName: (name) => objects.idFromName(`${prefix}:${name}`),
        get: (id) => objects.get(id) as object,
      }
      const ownDevice = `usage-outbox:${String(namespace.idFromName('metertap-0')).slice(0, 32)}`
      const waiting: Promise<unknown>[] = []
      return {
        relay,
        async start({ account = NOBODY, maxEventBytes, outbox: _, ...wishes } = {}) {
          const token = async (each: string, _: readonly string[], device: string) => {
            if (device !== ownDevice) throw new Error('An object of another test.')
            return tokenOf(each)
          }
          bench.settings = { ...wishes, fetch, token }
          forgetDesks()
          return createAgent(
            {},
            { waitUntil: (promise) => void waiting.push(promise) },
            {
              ...{ account, meters: METERS, shards: 1, fetch, relay: 'https://relay.test' },
              ...(maxEventBytes ? { maxEventBytes } : {}),
              outbox: kind.keeps ? namespace : null,
              token: async (each) => tokenOf(each),
            },
          )
        },
        async end() {
          await Promise.all(waiting)
          // The objects live on, and have nobody to talk to.
          await relay.setDown(true)
        },
      }
    },
  }
}

agentContract(
  workerHome({
    name: 'agent of a Worker with a Durable Object',
    ...{ plain: 'power', strict: 'power', keeps: true, shares: true },
  }),
)
agentContract(
  workerHome({
    name: 'agent of a Worker without one',
    ...{ plain: 'memory', strict: 'memory', keeps: false, shares: false },
  }),
)
