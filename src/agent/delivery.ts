import ky from 'ky'
import type { Outbox } from '../outbox/contract.ts'
import type { Runtime } from '../runtime/contract.ts'
import { createBackoff } from '../schedule/backoff.ts'
import { createDrainer, type Drainer, type Turn } from '../schedule/drainer.ts'
import type { TokenSource } from '../transport/contract.ts'
import { send } from '../transport/send.ts'
import { createClockEvidence } from './clock-evidence.ts'
import { createDeliver, type DeliverHooks } from './deliver.ts'
import type { Settings } from './options.ts'
import type { SendingOptions } from './sending.ts'

/** The settings that sending needs. */
export type DeliverySettings = Pick<
  Settings,
  'relay' | 'account' | 'overflow' | 'maxBatchBytes' | 'maxBatchEvents' | 'requestTimeoutMs'
>

export interface DeliveryOptions {
  readonly settings: DeliverySettings
  readonly runtime: Runtime
  readonly tokens: TokenSource
  readonly outbox: Outbox
  readonly device: string
  /** Whether a lock makes this agent the only sender. */
  readonly isExclusive: () => boolean
  readonly mayRun: () => boolean
  /** Aborts what is under way when the agent closes. */
  readonly signal: AbortSignal
  readonly hooks: DeliverHooks
  /** See SendingOptions. */
  readonly purges?: SendingOptions['purges'] | undefined
  readonly onError: (error: unknown) => void
}

const LEASE_MS = 60_000

export type TurnOptions = Omit<DeliveryOptions, 'mayRun' | 'onError'>

/** Puts together what empties one outbox: the loop, its backoff, one turn, and the request. */
export function createDelivery(options: DeliveryOptions): Drainer {
  const { runtime, mayRun, onError } = options
  const { now, random, setTimer } = runtime
  return createDrainer({
    turn: createTurn(options),
    mayRun,
    backoff: createBackoff({ random }),
    now,
    setTimer,
    onError,
  })
}

/** One turn of delivery, with all that it needs for its request. */
export function createTurn(options: TurnOptions): (follows?: boolean) => Promise<Turn> {
  const { settings, runtime, tokens, outbox, device, isExclusive, signal, hooks, purges } = options
  const { now, gzip, setTimer } = runtime
  const http = ky.create({ retry: 0, throwHttpErrors: false, timeout: false, fetch: runtime.fetch })
  const url = `${settings.relay}/v1/events`
  const sending = { http, url, tokens, now, gzip, setTimer, timeoutMs: settings.requestTimeoutMs, signal }
  return createDeliver({
    outbox,
    device,
    now,
    clock: createClockEvidence(runtime),
    accountTag: settings.account,
    limits: { maxBatchBytes: settings.maxBatchBytes, maxBatchEvents: settings.maxBatchEvents },
    get leaseMs() {
      // What is under way must not be dropped to make room: it would be both delivered and declared as lost.
      return isExclusive() && settings.overflow === 'reject-new' ? 0 : LEASE_MS
    },
    send: (text) => send(sending, text),
    hooks,
    purges,
  })
}
