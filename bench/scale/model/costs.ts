import type { Costs, Line } from './contract.ts'
import { type Measured, pointOf } from './measured.ts'

/** Batches through which the lines are drawn. The others are held out: there one sees whether the lines hold. */
const FITTED = [10, 50, 5_000] as const
export const HELD_OUT = [500] as const

export function lineOf(measured: Measured, store: 'sqlite' | 'postgres', what: string): Line {
  return fit(FITTED.map((size) => [size, pointOf(measured, `${store}.accept.batch${size}.${what}`)] as const))
}

/** The line with the least squares of relative errors: a small batch counts as much as a large one. Neither part is below 0. */
export function fit(points: readonly (readonly [events: number, cost: number])[]): Line {
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0]
  for (const [x, y] of points) {
    const weight = 1 / y ** 2
    w += weight
    wx += weight * x
    wy += weight * y
    wxx += weight * x * x
    wxy += weight * x * y
  }
  const perEvent = Math.max(0, (w * wxy - wx * wy) / (w * wxx - wx * wx))
  return { perEvent, perRequest: Math.max(0, (wy - perEvent * wx) / w) }
}

export function costOf({ perRequest, perEvent }: Line, events: number): number {
  return perRequest + perEvent * events
}

export function costsOf(measured: Measured): Costs {
  const of = (name: string): number => pointOf(measured, name)
  return {
    sqlite: {
      acceptUs: lineOf(measured, 'sqlite', 'relayCpuUs'),
      forwardUsPerRow: of('sqlite.forward.relayCpuUs'),
    },
    postgres: {
      acceptUs: lineOf(measured, 'postgres', 'relayCpuUs'),
      databaseUs: lineOf(measured, 'postgres', 'databaseCpuUs'),
      walBytes: lineOf(measured, 'postgres', 'walBytes'),
      transactionsPerRequest: of('postgres.accept.batch500.transactions'),
      forwardUsPerRow: of('postgres.forward.relayCpuUs'),
      databaseUsPerRow: of('postgres.forward.databaseCpuUs'),
      walBytesPerRow: of('postgres.forward.walBytes'),
      streamBytes: of('postgres.streamBytes'),
      streamWalBytes: of('postgres.streamWalBytes'),
      keyBytes: of('postgres.keyBytes'),
      keyWalBytes: of('postgres.keyWalBytes'),
    },
    edge: { acceptUs: edgeLine(measured), streamBytes: of('edge.streamBytes') },
  }
}

/** A shard is one thread, and a bench keeps it busy: what it takes in a second is its whole second. */
function edgeLine(measured: Measured): Line {
  return fit(
    [50, 500, 5_000].map((size) => {
      return [size, (size * 1e6) / pointOf(measured, `edge.accept.batch${size}.eventsPerS`)] as const
    }),
  )
}
