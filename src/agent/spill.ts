import type { AppendGroup } from '../outbox/contract.ts'

/** The part of localStorage that is needed. */
export type SpillStorage = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

/**
 * What was recorded while the outbox was still opening, kept aside when the page goes: localStorage is synchronous, so it
 * needs no time that a page in its end does not have. The next agent of this outbox puts it where it belongs.
 */
export class Spill {
  readonly #storage: SpillStorage | undefined
  readonly #prefix: string

  constructor(storage: SpillStorage | undefined, outboxName: string) {
    this.#storage = storage
    this.#prefix = spillPrefix(outboxName)
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

  #keyOf(stream: string): string {
    return this.#prefix + stream
  }
}

/** Of the keys under which the groups of one outbox are put aside. */
export function spillPrefix(outboxName: string): string {
  return `metertap:spill:${encodeURIComponent(outboxName)}:`
}
