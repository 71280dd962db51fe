import type { Range } from '../../wire/contract.ts'
import { addRange } from '../../wire/ranges.ts'
import type { AppendGroup, Durability } from '../contract.ts'

/** A group that waits to be stored; `outcome` is set once a try has shown what it survives. */
export interface HeldGroup {
  readonly strict: boolean
  outcome?: Durability
}

/** What is to be told to the primary about one stream, beside the rows that are held. */
export class HeldStream {
  groups: HeldGroup[] = []
  /** Roll-ups that were closed while the primary may still have their rows. */
  readonly closed = new Set<number>()
  /** Numbers that a relay said it holds, and about how many bytes they were. */
  received: Range[] = []
  receivedBytes = 0
  /** Dead letters that were deleted before the primary knew them. */
  readonly deletedDead = new Set<number>()

  get strict(): boolean {
    return this.groups.some(({ strict }) => strict)
  }

  receive(ranges: readonly Range[], bytes: number): void {
    for (const [from, to] of ranges) this.received = addRange(this.received, from, to).ranges
    this.receivedBytes += bytes
  }

  close(seqs: AppendGroup['closed']): void {
    for (const seq of seqs ?? []) this.closed.add(seq)
  }
}
