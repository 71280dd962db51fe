import { env, runInDurableObject } from 'cloudflare:test'
import type { DurableObjectState } from 'cloudflare:workers'

/** What a test makes inside of a Durable Object of its own, used from outside: each call goes in. */
export function roomOf<T extends object>(open: (storage: DurableObjectState['storage']) => T): T {
  const name = crypto.randomUUID()
  // A stub belongs to the request or object in which it was made.
  const stub = () => env.STOREROOM.get(env.STOREROOM.idFromName(name))
  let made: T | undefined
  return new Proxy({} as T, {
    get: (_, method) =>
      method === 'then'
        ? undefined
        : (...given: unknown[]) =>
            runInDurableObject(stub(), async (_, { storage }) => {
              made ??= open(storage)
              return await (made[method as keyof T] as (...parameters: unknown[]) => unknown)(...given)
            }),
  })
}
