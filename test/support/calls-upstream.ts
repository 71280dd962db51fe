import type { MeterOptions } from '../../src/zuora-stand-in/contract.ts'

/** The one client that the stand-in knows. */
export const UPSTREAM_CLIENT = { clientId: 'id', clientSecret: 'secret' } as const

/** The upstream's side of a meter of calls, as routeOf() maps events to it. */
export function callsMeter(id: string, options: Partial<MeterOptions> = {}): MeterOptions {
  return {
    id,
    fields: {
      UsageIdentifier: { type: 'string' },
      CustomerId: { type: 'string' },
      UsageDate: { type: 'date' },
      Quantity: { type: 'integer' },
    },
    deduplicator: { field: 'UsageIdentifier' },
    ...options,
  }
}

export interface FastTime {
  /** ms since 1970, passing `speed` times as fast from now on. */
  readonly clock: () => number
  readonly timer: (callback: () => void, delayMs: number) => () => void
}

/** Real sockets wait in real time; back-off and leases need not. */
export function fastTime(speed: number): FastTime {
  const startMs = Date.now()
  return {
    clock: () => startMs + Math.round(performance.now() * speed),
    timer(callback, delayMs) {
      const timeout = setTimeout(callback, delayMs / speed)
      return () => clearTimeout(timeout)
    },
  }
}
