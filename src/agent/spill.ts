import type { AppendGroup, RecordingOutbox } from '../outbox/contract.ts'
import { eventsIn } from '../outbox/core/sums.ts'

/** The part of localStorage that is needed. */
export type SpillStorage = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

export interface Restored {
  readonly events: number
  /** Entries that were no group: somebody else wrote, or cut, what stood under this name. */
  readonly unreadable: number
}

/**
 * What was recorded while the outbox was still opening, kept aside when the page goes: localStorage is synchronous, so it
 * needs no time that a page in its end does not have. The next agent of this outbox puts it where it belongs.
 */
export class Spill {
  readonly #storage: SpillStorage | undefined
  readonly #prefix: string

  constructor(storage: SpillStorage | undefined, outboxName: string) {
    this.#storage = storage
    this.#prefix = `metertap:spill:${encodeURIComponent(outboxName)}:`
  }

  /** Keeps the group, replacing an earlier one of its stream. False when it could not: storage is full or forbidden. */
  keep(group: AppendGroup): boolean {
    try {
      this.#storage?.setItem(this.#keyOf(group.head.stream), JSON.stringify(group))
      return this.#storage !== undefined
    } catch {
      return false
    }
  }

  /** This agent stored its group itself. */
  forget(stream: string): void {
    try {
      this.#storage?.removeItem(this.#keyOf(stream))
    } catch {
      // Forbidden since: at worst the group is stored twice, which the outbox notices.
    }
  }

  /** Puts what other pages left behind into the outbox; what cannot be read is removed and counted. */
  async restore(outbox: RecordingOutbox): Promise<Restored> {
    const restored = { events: 0, unreadable: 0 }
    // Memory would be no better a place.
    if (outbox.durability === 'memory') return restored
    for (const key of this.#keys()) {
      const group = this.#read(key)
      if (group) {
        await outbox.append(group)
        restored.events += eventsIn(group.segments)
      } else restored.unreadable++
      this.#storage?.removeItem(key)
    }
    return restored
  }

  #keyOf(stream: string): string {
    return this.#prefix + stream
  }

  #keys(): string[] {
    try {
      const { length = 0 } = this.#storage ?? {}
      const keys = Array.from({ length }, (_, index) => this.#storage?.key(index) ?? '')
      return keys.filter((key) => key.startsWith(this.#prefix))
    } catch {
      return []
    }
  }

  /** Undefined for what is no group. */
  #read(key: string): AppendGroup | undefined {
    try {
      const group = JSON.parse(this.#storage?.getItem(key) ?? '') as AppendGroup
      const isWhole = typeof group.head.recorded === 'number' && this.#keyOf(group.head.stream) === key
      return isWhole && Array.isArray(group.segments) ? group : undefined
    } catch {
      return undefined
    }
  }
}
