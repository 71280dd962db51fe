import type { Agent, RecordOptions } from '../agent/agent.ts'
import type { createAgent } from '../agent/browser.ts'
import type { Receipt } from '../agent/receipt.ts'
import type { defineMeter } from '../meter/define-meter.ts'
import type { Durability } from '../outbox/contract.ts'
import type { MetertapError } from '../wire/errors.ts'

/** What `window.metertap` holds. */
export interface Library {
  readonly createAgent: typeof createAgent
  readonly defineMeter: typeof defineMeter
  readonly MetertapError: typeof MetertapError
}

/** What stands in for a receipt until the library has arrived. */
export interface QueuedReceipt {
  /** Resolves, once the library has arrived, with the receipt that record() gave. */
  readonly receipt: Promise<Receipt>
  /** As a receipt's own. */
  readonly durable: Promise<Durability>
}

/** `window.metertapQueue`, made by metertap.queue.js. */
export interface QueueFace {
  /** As record() of an agent, with the meter's name in place of the meter. The time is that of the call. */
  record(meter: string, data: unknown, options?: RecordOptions): QueuedReceipt
  /**
   * Says how the agent is made, once: called with the library when it has arrived. Its agent records what was queued, in
   * order, and all that comes later.
   */
  start(make: (metertap: Library) => Agent): void
  /** For the library alone. */
  arrive(library: ScriptLibrary): void
}

/** One record() that waits. */
export interface QueueCall {
  readonly meter: string
  readonly data: unknown
  readonly options: RecordOptions
  readonly taken: (receipt: Receipt) => void
}

export interface ScriptLibrary {
  /** Makes the agent, and gives what records a call with it. */
  fromQueue(make: (metertap: Library) => Agent): (call: QueueCall) => void
}

declare global {
  var metertapQueue: QueueFace | undefined
}
