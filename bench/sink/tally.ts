import type { Arrivals, Carried } from './contract.ts'

/** Counts what arrives, by the events' own numbers. */
export class Tally {
  readonly #ids = new Map<number, Set<string>>()
  readonly #unread: string[] = []
  #arrived = 0
  #requests = 0
  #bytes = 0
  #lastMs = 0
  #lastRequestMs = 0

  add(events: readonly Carried[], wireBytes: number, nowMs: number): void {
    if (events.length === 0) return
    this.#requests++
    this.#bytes += wireBytes
    this.#lastRequestMs = nowMs
    for (const { n, id } of events) {
      this.#arrived++
      const ids = this.#ids.get(n)
      if (ids) ids.add(id)
      else {
        this.#ids.set(n, new Set([id]))
        this.#lastMs = nowMs
      }
    }
  }

  notUnderstood(what: string): void {
    this.#unread.push(what)
  }

  get arrivals(): Arrivals {
    const delivered = this.#ids.size
    let different = 0
    for (const ids of this.#ids.values()) different += ids.size
    return {
      delivered,
      doubled: different - delivered,
      resent: this.#arrived - different,
      requests: this.#requests,
      bytes: this.#bytes,
      lastMs: this.#lastMs,
      lastRequestMs: this.#lastRequestMs,
      unread: this.#unread,
    }
  }
}
