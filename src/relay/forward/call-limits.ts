import type { ZuoraEnvironment } from '../contract.ts'

/** What one upstream call may hold. */
export interface CallLimits {
  /** Body before compression. */
  readonly maxBytes: number
  readonly maxRows: number
  /** Calls that the whole tenant may make, all its clients together. */
  readonly calls: readonly CallAllowance[]
}

/** So many calls within any span of so long. */
export interface CallAllowance {
  readonly calls: number
  readonly spanMs: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Documented per environment. A megabyte is read as 1,000,000 bytes, and a tenth of it stays free: neither is documented. */
export const CALL_LIMITS: Readonly<Record<ZuoraEnvironment, CallLimits>> = {
  'api-sandbox': { maxBytes: 900_000, maxRows: 1_000, calls: [perMinute(600)] },
  'developer-sandbox': { maxBytes: 1_800_000, maxRows: 5_000, calls: [perMinute(5_000)] },
  'central-sandbox': { maxBytes: 3_600_000, maxRows: 10_000, calls: [perMinute(50_000)] },
  production: {
    ...{ maxBytes: 3_600_000, maxRows: 10_000 },
    calls: [perMinute(50_000), { calls: 2_250_000, spanMs: HOUR_MS }, { calls: 27_000_000, spanMs: 24 * HOUR_MS }],
  },
}

function perMinute(calls: number): CallAllowance {
  return { calls, spanMs: MINUTE_MS }
}
