import type { Range } from '../../wire/contract.ts'
import { addRange } from '../../wire/ranges.ts'
import type { AppendGroup, Durability, StreamHead } from '../contract.ts'
import { addTallies, type Tally } from '../core/accounting.ts'
import { OwnedStream } from '../core/owned-stream.ts'

/** A group that waits to be stored; `outcome` is set once a try has shown what it survives. */
export interface HeldGroup {
  readonly strict: boolean
  outcome?: Durability
}

/** What an owner's stream needs for as long as it lives, whether or not something of it is held. */
export class Owner {
  readonly stream: OwnedStream
  /** Numbers of roll-ups that the primary has, in some version. */
  readonly storedRollups = new Set<number>()
  #lost: Tally = {}
  #lostBytes = 0

  /** The head that the primary had last, as far as is known. */
  storedHead: StreamHead | undefined

  constructor(head: StreamHead) {
    this.stream = new OwnedStream(head)
  }

  /** The primary has taken this group. */
  stored({ head, rollups = [], closed = [] }: AppendGroup): void {
    this.storedHead = this.complete(head)
    for (const { seq } of rollups) this.storedRollups.add(seq)
    for (const seq of closed) this.storedRollups.delete(seq)
  }

  /** Events that were dropped while they were held: the primary has never seen them, so they go into the head. */
  lose(dropped: Tally, bytes: number): void {
    this.#lost = addTallies(this.#lost, dropped)
    this.#lostBytes += bytes
  }

  /** The newest head, with what was lost. */
  get head(): StreamHead {
    return this.complete(this.stream.newest)
  }

  complete(head: StreamHead): StreamHead {
    if (Object.keys(this.#lost).length === 0) return head
    return { ...head, dropped: addTallies(head.dropped, this.#lost), bytes: Math.max(0, head.bytes - this.#lostBytes) }
  }
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
