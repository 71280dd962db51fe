import type { AppendGroup, StreamHead } from '../contract.ts'
import { OwnedStream } from '../core/owned-stream.ts'
import { addTallies, type Tally } from '../core/tallies.ts'

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

/** The streams that are appended to here, by id. */
export class Owners {
  readonly #owners = new Map<string, Owner>()

  of(head: StreamHead): Owner {
    const owner = this.#owners.get(head.stream) ?? new Owner(head)
    this.#owners.set(head.stream, owner)
    return owner
  }

  get(stream: string): Owner | undefined {
    return this.#owners.get(stream)
  }
}
