import { DurableObject } from 'cloudflare:workers'
import { UsageOutbox } from '../../src/worker.ts'
import { bench } from './support/bench.ts'

/** A SQLite Durable Object without code of its own: tests go to work inside it. */
export class Storeroom extends DurableObject {}

/** The outbox with a relay in this isolate. */
export class TestOutbox extends UsageOutbox {
  static override settings = () => ({
    relay: 'https://relay.test',
    token: async (account: string) => bench.tokenOf(account),
    fetch: (input: RequestInfo | URL, init?: RequestInit) => bench.guarded(input, init),
    ...bench.settings,
  })
}

/** The same, of a class that its Worker's configuration gives no SQLite. */
export class PlainOutbox extends TestOutbox {}

export default {
  fetch: () => new Response('The worker of the tests.'),
}
