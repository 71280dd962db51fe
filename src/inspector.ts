export type { Inspection, InspectOptions } from './inspector/contract.ts'
export { inspect } from './inspector/inspect.ts'
