/** The Worker of the tests from outside: records what its address says. */
import * as z from 'zod'
import { UsageOutbox as BaseOutbox, createAgent, defineMeter } from '../../../src/worker.ts'

const calls = defineMeter('calls', z.object({ n: z.number() }))

export class UsageOutbox extends BaseOutbox {
  static override settings = () => ({ flushIntervalMs: 50 })
}

interface Context {
  waitUntil(promise: Promise<unknown>): void
}

const FEATURES = ['process', 'Buffer', 'BroadcastChannel', 'indexedDB', 'CompressionStream', 'localStorage'] as const

export default {
  fetch(request: Request, env: object, ctx: Context): Response | Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/features') {
      return Response.json(FEATURES.filter((name) => (globalThis as Record<string, unknown>)[name] !== undefined))
    }
    const home = searchParams.has('memory') ? { outbox: null } : {}
    const account = searchParams.get('account') ?? 'acme'
    const usage = createAgent(env, ctx, { account, meters: [calls], shards: 2, ...home })
    const count = Number(searchParams.get('count') ?? 1)
    const first = Number(searchParams.get('n') ?? 0)
    const receipts = Array.from({ length: count }, (_, index) => usage.record(calls, { n: first + index }))
    const ids = receipts.map(({ id }) => id)
    // Answered before anything is stored, …
    if (pathname === '/fire') return Response.json({ ids })
    // … or after.
    return Promise.all(receipts.map(({ durable }) => durable)).then((durable) => Response.json({ ids, durable }))
  },

  async scheduled(_: unknown, env: object, ctx: Context): Promise<void> {
    createAgent(env, ctx, { account: 'acme', meters: [calls], shards: 2 }).record(calls, { n: 77 })
  },
}
