import type { LedgerRow } from '../../src/relay/store/contract.ts'
import type { Random } from './random.ts'

/** Something that goes wrong, or well again, at its time. */
export interface Strike {
  /** From the start of the run. */
  readonly atMs: number
  readonly actor: string
  readonly kind: string
  /** Seed of whatever the strike itself has to choose. */
  readonly seed: number
}

/** A part of the world that can be struck: agents on some runtime, a relay, the network, the upstream, a clock. */
export interface Actor {
  readonly name: string
  /** What can befall it, each as likely as the others; a name that stands twice is twice as likely. */
  readonly strikes: readonly string[]
  start(): Promise<void>
  /** Does it. Rejects only for defects of the test: whatever happens to the product is the point. */
  strike(kind: string, random: Random): Promise<void>
  /** Whole again, and records no more: what it has is sent. Resolves when nothing of it waits, rejects when that takes too long. */
  settle(): Promise<void>
  stop(): Promise<void>
}

/** What an agent's owner was promised. */
export interface Promised {
  readonly id: string
  /** 'process' or 'power'; what was only in memory is no promise. */
  readonly durability: string
}

/** A stream as the relay's ledger has it. */
export type StreamRow = Omit<LedgerRow, 'tenant' | 'device' | 'refused' | 'clock' | 'firstSeenMs' | 'lastSeenMs'>

export interface Verdict {
  readonly ok: boolean
  /** One sentence for each equation that does not hold, with its stream. */
  readonly problems: readonly string[]
  readonly figures: Figures
}

export interface Figures {
  readonly streams: number
  readonly recorded: number
  /** Durable receipts that the harness has heard of. */
  readonly promised: number
  readonly received: number
  readonly declared: number
  readonly forwarded: number
  /** Kept by the relay as dead letters: the upstream refused them. */
  readonly refused: number
  /** Rows that would be billed. */
  readonly upstream: number
  /** Numbers that were given out and never became durable: their process died first. */
  readonly missing: number
  readonly promisedLost: number
  readonly doubled: number
}
