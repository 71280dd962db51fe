import type { PutAside } from '../outbox/contract.ts'

/** The part of localStorage that is needed. */
export type SpillStorage = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

/**
 * What was recorded and is not stored yet, put aside when the page goes: localStorage is synchronous, so it needs no time
 * that a page in its end does not have. The next agent of this outbox puts it where it belongs.
 */
export class Spill {
  readonly #storage: SpillStorage | undefined
  readonly #prefix: string
  #key: string | undefined

  constructor(storage: SpillStorage | undefined, outboxName: string) {
    this.#storage = storage
    this.#prefix = spillPrefix(outboxName)
  }

  /** Whether something of this agent may lie there. */
  get isKept(): boolean {
    return this.#key !== undefined
  }

  /** Keeps the group, replacing the earlier one; nothing takes that back. In vain where storage is full or forbidden. */
  keep(group?: PutAside): void {
    try {
      if (group) {
        this.#key = this.#prefix + group.head.stream
        this.#storage?.setItem(this.#key, JSON.stringify(group))
      } else if (this.#key) {
        this.#storage?.removeItem(this.#key)
        this.#key = undefined
      }
    } catch {
      // What lies there still is found to be stored by whoever restores it.
    }
  }
}

/** Of the keys under which the groups of one outbox are put aside. */
export function spillPrefix(outboxName: string): string {
  return `metertap:spill:${encodeURIComponent(outboxName)}:`
}
