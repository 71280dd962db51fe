export type { DrainOutcome } from './agent/drain.ts'
export type { DrainOptions, SignedIn } from './agent/drain-options.ts'
export { drainUsage, type UsageDrain } from './agent/service-worker.ts'
export { type ErrorCode, MetertapError } from './wire/errors.ts'
