import { type Agent, createAgent, type Receipt } from '../../../src/index.ts'
import { exports, inkDabs, PRODUCT_METERS, storageBytes } from '../../meters.ts'
import type { SessionInfo, SignedIn } from '../contract.ts'
import { backEnd } from './back-end.ts'
import { createOwnCounts, type OwnCounts } from './own-counts.ts'

export type Ink = 'cyan' | 'magenta' | 'yellow'
export type Format = 'png' | 'jpeg' | 'webp'

/** The three things that Halftone bills. */
export interface ProductUsage {
  readonly agent: Agent
  readonly own: OwnCounts
  exported(format: Format): Receipt
  kept(bytes: number): Receipt
  dabbed(ink: Ink): Receipt
}

/** Shorter than the default, so that a visitor sees things move. */
const FLUSH_INTERVAL_MS = 2_000

/** Makes the page's agent. In a project of your own the import is 'metertap'. */
export function createUsage({ relay, outbox }: SessionInfo, { account }: SignedIn): ProductUsage {
  const agent = createAgent({
    ...{ relay, outbox, account, meters: PRODUCT_METERS },
    token: backEnd.usageToken,
    flushIntervalMs: FLUSH_INTERVAL_MS,
  })
  // The relay's port is new with every run of the demo, and so is what Zuora's stand-in knows.
  const own = createOwnCounts(localStorage, `${relay}/${outbox}/${account}`, crypto.randomUUID())
  const counted = (receipt: Receipt, meter: string, quantity: number): Receipt => {
    if (!receipt.error) own.add(meter, quantity)
    return receipt
  }
  return {
    ...{ agent, own },
    exported: (format) => counted(agent.record(exports, { format, quantity: 1 }), exports.name, 1),
    kept: (bytes) => counted(agent.record(storageBytes, { bytes }), storageBytes.name, bytes),
    dabbed: (ink) => counted(agent.record(inkDabs, { ink, quantity: 1 }), inkDabs.name, 1),
  }
}
