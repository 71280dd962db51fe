import { env, evictDurableObject, runInDurableObject } from 'cloudflare:test'
import type { DurableObjectState, DurableObjectStub } from 'cloudflare:workers'
import type { Outbox } from '../../../src/outbox/contract.ts'
import { openSqliteOutbox } from '../../../src/outbox/sqlite/open.ts'
import { durableObjectSqlite } from '../../../src/sqlite/durable-object.ts'

/** A Durable Object that nothing was stored in. */
function freshObject(): DurableObjectStub {
  return env.STOREROOM.get(env.STOREROOM.idFromName(crypto.randomUUID()))
}

/** The outbox over an object's storage: as long as the object is in memory, the same one. */
const opened = new WeakMap<object, Outbox>()

function outboxIn({ storage }: DurableObjectState, instance: object): Outbox {
  const known = opened.get(instance)
  if (known) return known
  const outbox = openSqliteOutbox({
    db: durableObjectSqlite(storage),
    random: () => crypto.randomUUID(),
    clock: Date.now,
    durability: { plain: 'power', strict: 'power' },
  })
  opened.set(instance, outbox)
  return outbox
}

/** The outbox of a fresh object; each call goes into the object as a request of its own. */
export function outboxInObject(): { outbox: Outbox; reopen: () => Promise<Outbox> } {
  const stub = freshObject()
  const call =
    (name: keyof Outbox) =>
    (...args: unknown[]) =>
      runInDurableObject(stub, (instance: object, state) =>
        (outboxIn(state, instance)[name] as (...args: unknown[]) => Promise<unknown>)(...args),
      )
  const outbox = new Proxy({} as Outbox, {
    get: (_, name) => (name === 'durability' ? 'power' : name === 'then' ? undefined : call(name as keyof Outbox)),
  })
  const reopen = async () => {
    await evictDurableObject(stub)
    return outbox
  }
  return { outbox, reopen }
}
