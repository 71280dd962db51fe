/** What happens when, in order; at one time, first come first served. A binary heap. */
export class Agenda {
  readonly #heap: { readonly atMs: number; readonly nth: number; readonly run: () => void }[] = []
  #nowMs = 0
  #count = 0

  get nowMs(): number {
    return this.#nowMs
  }

  at(atMs: number, run: () => void): void {
    const heap = this.#heap
    const item = { atMs: Math.max(atMs, this.#nowMs), nth: this.#count++, run }
    let place = heap.length
    heap.push(item)
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#isBefore(item, heap[parent])) break
      heap[place] = heap[parent] as typeof item
      place = parent
    }
    heap[place] = item
  }

  /** Lets time pass until then, or until nothing is left to happen. */
  runUntil(endMs: number): void {
    for (let first = this.#heap[0]; first && first.atMs <= endMs; first = this.#heap[0]) {
      this.#removeFirst()
      this.#nowMs = first.atMs
      first.run()
    }
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (this.#isBefore(heap[child + 1], heap[child])) child++
      if (!this.#isBefore(heap[child], last)) break
      heap[place] = heap[child] as typeof last
      place = child
    }
    heap[place] = last
  }

  #isBefore(
    a: { readonly atMs: number; readonly nth: number } | undefined,
    b: { readonly atMs: number; readonly nth: number } | undefined,
  ): boolean {
    if (!a || !b) return a !== undefined
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.nth < b.nth)
  }
}
