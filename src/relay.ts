export type { Meter } from './meter/contract.ts'
export { defineMeter } from './meter/define-meter.ts'
export { defineRelayConfig, type RelayConfig } from './relay/config/define-config.ts'
export type {
  AdminOptions,
  DeliveryPolicy,
  FieldSource,
  MappableEvent,
  MeterRoute,
  RelayLimits,
  RelayOptions,
  SessionIssuer,
  ZuoraOptions,
} from './relay/contract.ts'
export { createRelay, type Relay } from './relay/create-relay.ts'
export type { RelayDeps } from './relay/deps.ts'
export type { Log } from './relay/log.ts'
export type {
  AcceptRequest,
  AcceptResult,
  EventPlace,
  HeldEvents,
  RelayStore,
  StoredEvent,
  StoreRejection,
} from './relay/store/contract.ts'
export { createGrant, type GrantOptions } from './relay/tokens/grant.ts'
export type { Range, WireClock } from './wire/contract.ts'
export { MetertapError } from './wire/errors.ts'
