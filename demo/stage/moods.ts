import type { Fault } from '../../src/zuora-stand-in/contract.ts'
import type { Mood } from './contract.ts'

/** What each mood of Zuora's stand-in does to calls. Half of them, so that things move all the same. */
export const FAULTS: Readonly<Record<Mood, readonly Fault[]>> = {
  well: [],
  errors: [{ kind: 'status', status: 500, probability: 0.5 }],
  // The rows are stored, and the relay is never told: it has to send them again.
  'answers-lost': [{ kind: 'answer-lost', probability: 0.5 }],
  'refuses-webp': [{ kind: 'refuse-rows', where: { field: 'Format', equals: 'webp' } }],
}
