import { DurableObject } from 'cloudflare:workers'

/** A SQLite Durable Object without code of its own: tests go to work inside it. */
export class Storeroom extends DurableObject {}

export default {
  fetch: () => new Response('The worker of the tests.'),
}
