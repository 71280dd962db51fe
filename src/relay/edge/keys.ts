import type { DurableObjectSql } from '../../sqlite/durable-object.ts'
import { openDurableStore } from '../store/durable-object/open-durable-store.ts'
import type { KeysFace } from './contract.ts'

const VERSION_NOTE = 'revocations-version'
const SHARDS_NOTE = 'shards'

/** Signing keys and revocations in the storage of one Durable Object. */
export function createKeys(storage: DurableObjectSql, clock: () => number): KeysFace {
  const store = openDurableStore({ storage, clock })
  const absent = new Error('There is no such secret.')
  const readVersion = async (): Promise<number> => Number((await store.note(VERSION_NOTE)) ?? 0)
  async function fix(count: number): Promise<number> {
    const known = await store.note(SHARDS_NOTE)
    if (known !== undefined) return Number(known)
    await store.setNote(SHARDS_NOTE, String(count))
    return count
  }
  let fixing: Promise<unknown> = Promise.resolve()
  return {
    async readSecret(name) {
      return await store
        .secret(name, () => Promise.reject(absent))
        .catch((error: unknown) => {
          if (error === absent) return undefined
          throw error
        })
    },
    keepSecret: (name, value) => store.secret(name, async () => value),
    swapSecret: (name, before, after) => store.swapSecret(name, before, after),
    async revoke(revocation) {
      await store.revoke(revocation)
      await store.setNote(VERSION_NOTE, String((await readVersion()) + 1))
    },
    async revocations(version) {
      const newest = await readVersion()
      return version === newest ? undefined : { version: newest, list: await store.revocations() }
    },
    fixShards(count) {
      // One after the other, or two that are first would both be right.
      const fixed = fixing.then(() => fix(count))
      fixing = fixed.catch(() => {})
      return fixed
    },
    check: () => store.check(),
  }
}
