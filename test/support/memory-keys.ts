import type { KeysFace } from '../../src/relay/edge/contract.ts'
import type { Revocation } from '../../src/relay/store/contract.ts'

/** The edge relay's object of the keys, in memory; it notes what it is asked. */
export function openMemoryKeys(asked: string[] = []): KeysFace {
  const secrets = new Map<string, string>()
  const list: Revocation[] = []
  let shards: number | undefined
  const noted = <T>(name: string, answer: T): Promise<T> => {
    asked.push(name)
    return Promise.resolve(answer)
  }
  return {
    readSecret: (name) => noted('readSecret', secrets.get(name)),
    keepSecret(name, value) {
      if (!secrets.has(name)) secrets.set(name, value)
      return noted('keepSecret', secrets.get(name) as string)
    },
    swapSecret(name, before, after) {
      const isSwapped = secrets.get(name) === before
      if (isSwapped) secrets.set(name, after)
      return noted('swapSecret', isSwapped)
    },
    revoke(revocation) {
      list.push(revocation)
      return noted('revoke', undefined)
    },
    revocations(version) {
      return noted('revocations', version === list.length ? undefined : { version: list.length, list: [...list] })
    },
    fixShards(count) {
      shards ??= count
      return noted('fixShards', shards)
    },
    check: () => noted('check', undefined),
  }
}
