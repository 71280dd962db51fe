import type { ReconcilerOptions } from '../reconcile/create-reconciler.ts'
import type { ImportFailure, ImportFailureResult, RelayStore } from '../store/contract.ts'
import type { ShardFace } from './contract.ts'
import { inGroups } from './in-groups.ts'
import { shardOf } from './shard-of.ts'

export interface ReconcileStoreDeps {
  readonly tenant: string
  /** All of them, by number. */
  readonly shards: readonly ShardFace[]
  /** Where it is kept how far was read. */
  readonly notes: Pick<RelayStore, 'note' | 'setNote'>
}

interface Failure {
  readonly failure: ImportFailure
  readonly nowMs: number
}

/** The reconciler's view of all shards: what a page of the audit trail says costs each shard two questions at most. */
export function createReconcileStore({ tenant, shards, notes }: ReconcileStoreDeps): ReconcilerOptions['store'] {
  const bury = inGroups(async (failures: readonly Failure[]) => {
    const accounts = await accountsOf(failures)
    const places = failures.map((given, i) => ({ ...given, i, account: given.failure.account ?? accounts.get(i) }))
    const results = failures.map((): ImportFailureResult => 'unknown')
    const known = places.filter((place): place is typeof place & { account: string } => place.account !== undefined)
    const groups = Map.groupBy(known, ({ account }) => shardOf(shards.length, tenant, account))
    await Promise.all(
      [...groups].map(async ([number, group]) => {
        const list = group.map(({ failure, account }) => ({ ...failure, account }))
        const answers = await (shards[number] as ShardFace).buryForwarded(list, group[0]?.nowMs ?? 0)
        for (const [place, { i }] of group.entries()) results[i] = answers[place] as ImportFailureResult
      }),
    )
    return results
  })

  /** Of failures that name no account: the one that has the stream. A stream of several accounts tells nothing. */
  async function accountsOf(failures: readonly Failure[]): Promise<Map<number, string>> {
    const nameless = [...failures.entries()].filter(([, { failure }]) => failure.account === undefined)
    if (nameless.length === 0) return new Map()
    const streams = [...new Set(nameless.map(([, { failure }]) => failure.stream))]
    const owners = (await Promise.all(shards.map((shard) => shard.ownersOf(streams)))).flat()
    const byStream = Map.groupBy(
      owners.filter((owner) => owner.tenant === tenant),
      ({ stream }) => stream,
    )
    return new Map(
      nameless.flatMap(([i, { failure }]) => {
        const [owner, ...others] = byStream.get(failure.stream) ?? []
        return owner === undefined || others.length > 0 ? [] : [[i, owner.account] as const]
      }),
    )
  }

  return {
    note: notes.note,
    setNote: notes.setNote,
    buryForwarded: (failure, nowMs) => bury({ failure, nowMs }),
    async ledgerByHour(filter = {}) {
      const rows = await Promise.all(shards.map((shard) => shard.ask('ledgerByHour', [filter])))
      return rows.flat().toSorted((a, b) => a.hourMs - b.hourMs)
    },
  }
}
