import type { ReconcileFace, ShardFace } from '../../src/relay/edge/contract.ts'
import { createSumForwarded } from '../../src/relay/reconcile/compare.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'

/** A shard that is a store alone: nothing is forwarded. Tells `asked` what it is asked. */
export function shardOver(store: RelayStore, asked: (name: string) => void = () => {}): ShardFace {
  const noted = <T>(name: string, answer: T): T => {
    asked(name)
    return answer
  }
  return {
    accept: (request) => noted('accept', store.accept(request)),
    ask: (method, given) => noted(method, (store[method] as (...parameters: unknown[]) => never)(...given)),
    wake: async () => noted('wake', undefined),
    stats: async () => noted('stats', []),
    storedBytes: async () => noted('storedBytes', 0),
    buryForwarded: (failures, nowMs) =>
      noted('buryForwarded', Promise.all(failures.map((failure) => store.buryForwarded(failure, nowMs)))),
    async ownersOf(streams) {
      const rows = await Promise.all(streams.map((stream) => store.ledger({ stream, limit: 2 })))
      return noted('ownersOf', rows.flat())
    },
    sumForwarded: (meter, span) => noted('sumForwarded', createSumForwarded(store)(meter, span)),
  }
}

/** An upstream that has nothing to say. */
export const NO_RECONCILING: ReconcileFace = {
  reconcile: async (meter) => ({ meter, buried: 0, known: 0, unknown: 0, deduplicated: 0 }),
  takeTurn: async () => true,
}
