export { defineMeter } from './meter/define-meter.ts'
export type {
  DeliveryPolicy,
  FieldSource,
  MappableEvent,
  MeterRoute,
  RelayLimits,
  SessionIssuer,
  ZuoraOptions,
} from './relay/contract.ts'
export { type DurableObjectClass, defineRelayWorker, type RelayWorker } from './relay/edge/define-relay-worker.ts'
export type { RelayWorkerOptions } from './relay/edge/edge-settings.ts'
export { MetertapError } from './wire/errors.ts'
