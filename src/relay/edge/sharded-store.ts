import { type PagedLetters, pagesOf } from '../http/dead-letter-routes.ts'
import { HttpProblem } from '../problem.ts'
import type { AcceptResult, DeadLetterFilter, LedgerTotals, RelayDeadLetter, RelayStore } from '../store/contract.ts'
import type { KeysFace, Refusal, ShardFace, ShardQuestion } from './contract.ts'
import { createLetterIds } from './letter-ids.ts'
import { mergeBacklogs } from './merge-backlogs.ts'
import type { RevocationCache } from './revocation-cache.ts'
import { shardOf } from './shard-of.ts'

/** The part of a store that the apps use. Each event lives in the shard of its account. */
export type ShardedStore = Pick<
  RelayStore,
  'accept' | 'secret' | 'swapSecret' | 'revoke' | 'revokedBefore' | 'revocations' | ShardQuestion
> &
  PagedLetters

export interface ShardedStoreDeps {
  readonly tenant: string
  /** All of them, by number. */
  readonly shards: readonly ShardFace[]
  readonly keys: KeysFace
  readonly revocations: RevocationCache
}

const DEFAULT_LIMIT = 100
const DEFAULT_ROWS = 1_000

/** One store over all shards and the object of the keys. */
export function createShardedStore({ tenant, shards, keys, revocations }: ShardedStoreDeps): ShardedStore {
  const letters = createLetterIds(shards.length)
  const at = (number: number): ShardFace => shards[number] as ShardFace
  const ofAccount = (account: string, of = tenant): ShardFace => at(shardOf(shards.length, of, account))
  /** The shard of an account that a filter names, or all. */
  const meant = ({ account }: { account?: string }): readonly ShardFace[] =>
    account === undefined ? shards : [ofAccount(account)]

  async function everywhere<M extends ShardQuestion>(
    of: readonly ShardFace[],
    method: M,
    ...parameters: Parameters<RelayStore[M]>
  ): Promise<Awaited<ReturnType<RelayStore[M]>>[]> {
    return await Promise.all(of.map(async (shard) => await shard.ask(method, parameters)))
  }

  /** Runs for each shard that holds some of the letters, with the letters' numbers there. */
  function byShard<T>(ids: readonly number[], job: (shard: number, local: number[]) => Promise<T>): Promise<T[]> {
    const groups = Map.groupBy(ids, letters.shardOf)
    return Promise.all([...groups].map(([shard, list]) => job(shard, list.map(letters.toLocal))))
  }

  /** Those of one shard, under the numbers that they have to the operator. */
  async function lettersOf(number: number, { id, before, ...filter }: DeadLetterFilter): Promise<RelayDeadLetter[]> {
    const own = {
      ...filter,
      ...(id === undefined ? {} : { id: letters.toLocal(id) }),
      ...(before === undefined ? {} : { before: letters.firstNotBefore(before, number) }),
    }
    const rows = await at(number).ask('deadLetters', [own])
    return rows.map((row) => ({ ...row, id: letters.toGlobal(row.id, number) }))
  }

  return {
    async accept(request) {
      const answer: AcceptResult | Refusal = await ofAccount(request.account, request.tenant).accept(request)
      if (!('refused' in answer)) return answer
      const { code, detail, headers } = answer.refused
      throw new HttpProblem(code, detail, headers)
    },
    async secret(name, create) {
      return (await keys.readSecret(name)) ?? (await keys.keepSecret(name, await create()))
    },
    swapSecret: (name, before, after) => keys.swapSecret(name, before, after),
    async revoke(revocation) {
      await keys.revoke(revocation)
      revocations.forget()
    },
    revokedBefore: (subject) => revocations.before(subject),
    revocations: () => revocations.list(),
    useNonce: (nonce, ...times) => ofAccount(nonce, 'nonce').ask('useNonce', [nonce, ...times]),
    async check() {
      await keys.check()
    },
    async totals() {
      return (await everywhere(shards, 'totals')).reduce(addTotals)
    },
    backlog: async () => mergeBacklogs(await everywhere(shards, 'backlog')),
    async ledger(filter = {}) {
      const rows = (await everywhere(meant(filter), 'ledger', filter)).flat()
      return newest(rows, ({ stream }) => stream).slice(0, filter.limit ?? DEFAULT_ROWS)
    },
    async gaps(filter = {}) {
      const rows = (await everywhere(meant(filter), 'gaps', filter)).flat()
      return newest(rows, ({ lastSeenMs }) => lastSeenMs).slice(0, filter.limit ?? DEFAULT_LIMIT)
    },
    async ledgerByHour(filter = {}) {
      const rows = (await everywhere(meant(filter), 'ledgerByHour', filter)).flat()
      return rows.toSorted(byKeys((row) => [row.hourMs, row.account, row.meter])).slice(0, filter.limit ?? DEFAULT_ROWS)
    },
    async deadLetters(filter = {}) {
      const { id, limit = DEFAULT_LIMIT } = filter
      const asked = id === undefined ? [...shards.keys()] : [letters.shardOf(id)]
      const found = await Promise.all(asked.map((number) => lettersOf(number, filter)))
      return newest(found.flat(), (letter) => letter.id).slice(0, limit)
    },
    async *pagesOfDeadLetters(filter, pageLimit) {
      for (const number of shards.keys()) {
        yield* pagesOf({ deadLetters: (of = {}) => lettersOf(number, of) }, filter, pageLimit)
      }
    },
    editDeadLetter: (id, data) => at(letters.shardOf(id)).ask('editDeadLetter', [letters.toLocal(id), data]),
    async replayDeadLetters(selection) {
      if (!isIds(selection)) return (await everywhere(shards, 'replayDeadLetters', selection)).flat()
      const replayed = await byShard(selection, (shard, local) => at(shard).ask('replayDeadLetters', [local]))
      return replayed.flat()
    },
    async deleteDeadLetters(ids) {
      return sum(await byShard(ids, (shard, local) => at(shard).ask('deleteDeadLetters', [local])))
    },
    async pauseLane(...parameters) {
      await everywhere(shards, 'pauseLane', ...parameters)
    },
    async resumeLane(lane) {
      return (await everywhere(shards, 'resumeLane', lane)).some(Boolean)
    },
    async heldEvents(filter = {}) {
      const rows = (await everywhere(meant(filter), 'heldEvents', filter)).flat()
      return rows.toSorted(byKeys((row) => [row.account, row.meter])).slice(0, filter.limit ?? DEFAULT_ROWS)
    },
    releaseHeld: (owner) => ofAccount(owner.account, owner.tenant).ask('releaseHeld', [owner]),
    async parkedDeliveries(filter = {}) {
      const rows = (await everywhere(shards, 'parkedDeliveries', filter)).flat()
      return rows.toSorted(byKeys((row) => [row.parkedAtMs, row.id])).slice(0, filter.limit ?? DEFAULT_LIMIT)
    },
    async resolveParked(...parameters) {
      return (await everywhere(shards, 'resolveParked', ...parameters)).some(Boolean)
    },
  }
}

function addTotals(sums: LedgerTotals, more: LedgerTotals): LedgerTotals {
  const names = Object.keys(sums) as (keyof LedgerTotals)[]
  return Object.fromEntries(names.map((name) => [name, sums[name] + more[name]])) as unknown as LedgerTotals
}

function newest<T, K extends string | number>(rows: readonly T[], key: (row: T) => K): T[] {
  return rows.toSorted((a, b) => (key(a) < key(b) ? 1 : key(a) > key(b) ? -1 : 0))
}

/** Sorts as a store does: by the first key, then by the next. */
function byKeys<T>(keys: (row: T) => readonly (string | number)[]): (a: T, b: T) => number {
  return (a, b) => {
    const others = keys(b)
    for (const [i, key] of keys(a).entries()) {
      const other = others[i] as string | number
      if (key !== other) return key < other ? -1 : 1
    }
    return 0
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

function isIds(selection: unknown): selection is readonly number[] {
  return Array.isArray(selection)
}
