import type { UsageOutboxSettings } from '../../../src/worker.ts'
import { TinyRelay } from '../../support/tiny-relay.ts'

/** What tests and the Durable Objects beside them share; they live in one isolate. */
export const bench = {
  relay: new TinyRelay(),
  /** Of objects made from now on. */
  settings: {} as UsageOutboxSettings,
  tokenOf: (account: string): string => `token-of-${account}`,
  /** Accounts of other tests, whose objects live on, have no relay any more. */
  site: '',
  guarded: ((input, init) => {
    const token = new Headers(init?.headers ?? (input as Request).headers).get('authorization') ?? ''
    if (token.includes(bench.site)) return bench.fetch(input, init)
    return Promise.resolve(new Response('', { status: 503, headers: { 'retry-after': '3600' } }))
  }) as typeof globalThis.fetch,
  /** In front of the relay. */
  fetch: ((input, init) => bench.relay.fetch(input, init)) as typeof globalThis.fetch,
  reset(): void {
    bench.site = crypto.randomUUID()
    bench.relay = new TinyRelay()
    bench.settings = {}
    bench.tokenOf = (account) => `token-of-${account}`
    bench.fetch = (input, init) => bench.relay.fetch(input, init)
  },
}
