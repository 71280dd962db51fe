import type { Delivery } from '../store/contract.ts'
import type { Rest } from './lane-memory.ts'

/** A lane's calls under way, and the rest that the last of them asked for. */
export interface Flights {
  readonly size: number
  /** Rows in all of them. */
  rows(): number
  /** `fly` ends with what the lane should do next; it does not reject. */
  launch(delivery: Pick<Delivery, 'id' | 'rows'>, fly: () => Promise<Rest>): void
  /** What a call that has ended asked for, as far as it is not over. */
  rest(): Rest | undefined
  /** Resolves when none is under way. */
  landed(): Promise<void>
}

export function createFlights({ clock, onLanding }: { clock: () => number; onLanding: () => void }): Flights {
  const flights = new Map<string, { readonly rows: number; readonly landed: Promise<void> }>()
  let resting: { readonly rest: Rest; readonly untilMs: number } | undefined

  async function follow(id: string, fly: () => Promise<Rest>): Promise<void> {
    const rest = await fly()
    flights.delete(id)
    const untilMs = clock() + rest.ms
    if (rest.ms > 0 && untilMs > (resting?.untilMs ?? 0)) resting = { rest, untilMs }
    onLanding()
  }

  return {
    get size() {
      return flights.size
    },
    rows: () => [...flights.values()].reduce((sum, { rows }) => sum + rows, 0),
    launch({ id, rows }, fly) {
      flights.set(id, { rows, landed: follow(id, fly) })
    },
    rest() {
      const leftMs = (resting?.untilMs ?? 0) - clock()
      // No longer than it asked for, even when the clock is set back.
      if (resting && leftMs > 0) return { ...resting.rest, ms: Math.min(leftMs, resting.rest.ms) }
      resting = undefined
      return undefined
    },
    async landed() {
      await Promise.all([...flights.values()].map(({ landed }) => landed))
    },
  }
}
