import type { DurableObjectSql } from '../../sqlite/durable-object.ts'
import type { MeterRoute } from '../contract.ts'
import type { AskUpstream } from '../forward/contract.ts'
import type { Log } from '../log.ts'
import type { MeterReport, Reconciler } from '../reconcile/contract.ts'
import { createReconciler } from '../reconcile/create-reconciler.ts'
import type { RelayStore } from '../store/contract.ts'
import { openDurableStore } from '../store/durable-object/open-durable-store.ts'
import type { ReconcileFace, ShardFace } from './contract.ts'
import { createReconcileStore } from './reconcile-store.ts'

export interface GateReconcilerDeps {
  readonly storage: DurableObjectSql
  readonly shards: readonly ShardFace[]
  readonly routes: readonly MeterRoute[]
  readonly tenant: string
  readonly ask: AskUpstream
  readonly clock: () => number
  readonly log: Log
}

/** One call of an object may ask this many things of others; a hundred stay free for tokens and second tries. */
const MAX_QUESTIONS = 900

/** The reconciler's half in the gate, where the upstream's token is: one call reconciles one meter. */
export function createGateReconciler(deps: GateReconcilerDeps): ReconcileFace {
  const { shards, routes, tenant, ask, clock, log } = deps
  const reconcilers = new Map<string, Reconciler>()
  let store: RelayStore | undefined
  /** A gate that nobody asks to reconcile has nothing on its disk. */
  const open = (): RelayStore => {
    store ??= openDurableStore({ storage: deps.storage, clock })
    return store
  }

  function reconcilerOf(route: MeterRoute): Reconciler {
    const { name } = route.meter
    const known = reconcilers.get(name)
    if (known) return known
    const made = createReconciler({
      store: createReconcileStore({ tenant, shards, notes: open() }),
      ...{ routes: [route], tenant, ask, clock, log, maxPages: pagesOf(shards.length) },
      async sumForwarded(meter, span) {
        const sums = await Promise.all(shards.map((shard) => shard.sumForwarded(meter, span)))
        return sums.reduce((sum, more) => sum + more, 0)
      },
    })
    reconcilers.set(name, made)
    return made
  }

  return {
    async reconcile(meter, sinceMs) {
      const route = routes.find((one) => one.meter.name === meter)
      if (route === undefined) throw new TypeError('There is no such meter.')
      const { meters } = await reconcilerOf(route).run(sinceMs === undefined ? {} : { sinceMs })
      return meters[0] as MeterReport
    },
    takeTurn: (everyMs) => {
      const nowMs = clock()
      const turn = `reconcile ${Math.floor(nowMs / everyMs)} of ${everyMs}`
      return open().useNonce(turn, nowMs + 2 * everyMs, nowMs)
    },
  }
}

/** A page asks the upstream once and each shard twice; at the end each shard is asked for its first hour and its sum. */
export function pagesOf(shards: number): number {
  return Math.max(1, Math.floor((MAX_QUESTIONS - 2 * shards) / (1 + 2 * shards)))
}
