import {
  createExecutionContext,
  env,
  runDurableObjectAlarm,
  runInDurableObject,
  waitOnExecutionContext,
} from 'cloudflare:test'
import type { DurableObjectStub } from 'cloudflare:workers'
import * as z from 'zod'
import {
  type AccountStatus,
  type Agent,
  createAgent,
  defineMeter,
  type OutboxNamespace,
  type Receipt,
  type UsageOutbox,
  type WorkerAgentOptions,
} from '../../../src/worker.ts'
import { bench } from './bench.ts'

export const calls = defineMeter('calls', z.object({ n: z.number() }))
export const sums = defineMeter('sums', z.object({ n: z.number() }), { aggregate: { windowMs: 60_000, sum: ['n'] } })

type Options = Partial<WorkerAgentOptions>

/** What the tests call of a UsageOutbox. */
export type Stub = DurableObjectStub &
  Pick<UsageOutbox, 'append' | 'flush' | 'streams' | 'deadLetters'> & {
    status(): Promise<AccountStatus[]>
  }

/** A Worker with Durable Objects that no other test has. */
export interface Site {
  readonly namespace: OutboxNamespace
  /** The one object, where no other number of shards was asked for. */
  readonly stub: () => Stub
  /** Serves one request: the work has an agent, and is over when all is done that it left to waitUntil. */
  readonly serve: <R>(work: (usage: Agent) => R | Promise<R>, options?: Options) => Promise<R>
  /** An agent whose request goes on until `over()` has resolved. */
  readonly begin: (options?: Options) => { readonly usage: Agent; readonly over: () => Promise<void> }
  /** Lets the time pass until all that waits is due, and rings the object's alarm; false when it was not set. */
  readonly ring: () => Promise<boolean>
  /** An account's name, which no other test has. Default: that of serve(). */
  readonly accountOf: (account?: string) => string
  readonly tokenOf: (account?: string) => string
  /** The plan of an account. */
  readonly status: (account?: string) => Promise<AccountStatus>
}

export function openSite(): Site {
  const prefix = bench.site
  const full = (account = 'acme') => `${account}~${prefix}`
  const objects = env.USAGE_OUTBOX
  const namespace: OutboxNamespace = {
    idFromName: (name) => objects.idFromName(`${prefix}:${name}`),
    get: (id) => objects.get(id) as object,
  }
  const stub = () => namespace.get(namespace.idFromName('metertap-0') as never) as unknown as Stub
  const begin = (options: Options = {}) => {
    const ctx = createExecutionContext()
    const usage = createAgent({}, ctx, {
      ...{ meters: [calls, sums], shards: 1, outbox: namespace },
      ...options,
      account: full(options.account),
    })
    return { usage, over: () => waitOnExecutionContext(ctx) }
  }
  return {
    namespace,
    stub,
    begin,
    async serve(work, options) {
      const { usage, over } = begin(options)
      const result = await work(usage)
      await over()
      return result
    },
    async ring() {
      await runInDurableObject(stub(), (_, { storage }) => {
        storage.sql.exec('UPDATE metertap_plans SET due_at_ms = 0 WHERE due_at_ms IS NOT NULL')
      })
      return runDurableObjectAlarm(stub())
    },
    accountOf: full,
    tokenOf: (account) => bench.tokenOf(full(account)),
    async status(account) {
      const found = (await stub().status()).find((each) => each.account === full(account))
      if (!found) throw new Error(`The object knows no ${account}.`)
      return found
    },
  }
}

/** Options of an agent that knows the way to the bench's relay itself. */
export const STRAIGHT: Options = {
  relay: 'https://relay.test',
  token: async (account) => bench.tokenOf(account),
  fetch: (input, init) => bench.guarded(input, init),
}

/** Records calls with n = from, from + 1, …; gives their ids. */
export function recordCalls(usage: Agent, count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => idOf(usage.record(calls, { n: from + index })))
}

/** @throws when the event was refused. */
export function idOf(receipt: Receipt): string {
  if (receipt.error) throw receipt.error
  return receipt.id
}

/** What arrived, by id. */
export function arrived(): Record<string, unknown> {
  return Object.fromEntries(
    [...bench.relay.events].map(([id, event]) => [id, (event as [string, number, { n: number }])[2].n]),
  )
}

/** What recordCalls() gave, as arrived() should show it. */
export function expected(ids: readonly string[], from = 0): Record<string, number> {
  return Object.fromEntries(ids.map((id, index) => [id, from + index]))
}
