import type { Entry, EntryKind } from './contract.ts'

const MAX_ENTRIES = 100
const JOIN_MS = 1_000

/** The newest lines of the timeline, newest first. */
export class History {
  #entries: readonly Entry[] = []
  #nextKey = 0

  get entries(): readonly Entry[] {
    return this.#entries
  }

  add(kind: EntryKind, what: string, atMs: number, events = 0, times = 1): void {
    const [newest, ...older] = this.#entries
    if (newest && newest.kind === kind && newest.what === what && atMs - newest.atMs < JOIN_MS) {
      const joined = { ...newest, events: newest.events + events, times: newest.times + times }
      this.#entries = [joined, ...older]
      return
    }
    const entry = { key: this.#nextKey++, kind, what, events, times, atMs }
    this.#entries = [entry, ...this.#entries].slice(0, MAX_ENTRIES)
  }
}
