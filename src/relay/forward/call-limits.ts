import type { ZuoraEnvironment } from '../contract.ts'

/** What one upstream call may hold. */
export interface CallLimits {
  /** Body before compression. */
  readonly maxBytes: number
  readonly maxRows: number
}

/** Documented per environment. A megabyte is read as 1,000,000 bytes, and a tenth of it stays free: neither is documented. */
export const CALL_LIMITS: Readonly<Record<ZuoraEnvironment, CallLimits>> = {
  'api-sandbox': { maxBytes: 900_000, maxRows: 1_000 },
  'developer-sandbox': { maxBytes: 1_800_000, maxRows: 5_000 },
  'central-sandbox': { maxBytes: 3_600_000, maxRows: 10_000 },
  production: { maxBytes: 3_600_000, maxRows: 10_000 },
}
