import type { AppendGroup } from './append.ts'
import type { Settlement } from './claim.ts'

/** What a page puts aside when it goes. */
export interface PutAside extends AppendGroup {
  /** What became meanwhile of numbers that no outbox has heard of yet: to be settled once the group is restored. */
  readonly settlement?: Settlement
}
