import type { Promised } from './contract.ts'

/** What agents were promised, and how far they got, as heard from outside: it outlives every one of them. */
export class Book {
  readonly #promised = new Map<string, string>()
  readonly #dead = new Map<string, string>()
  #inMemory = 0

  promise({ id, durability }: Promised): void {
    if (durability === 'memory') this.#inMemory++
    else this.#promised.set(id, durability)
  }

  /** The relay would not take it: kept by its agent with a reason, so it is neither lost nor billed. */
  bury(id: string, code: string): void {
    this.#dead.set(id, code)
  }

  get promised(): ReadonlyMap<string, string> {
    return this.#promised
  }

  get buried(): ReadonlyMap<string, string> {
    return this.#dead
  }

  /** Receipts that said 'memory': they were promised nothing. */
  get inMemory(): number {
    return this.#inMemory
  }
}
