/** Events that came together. */
export interface Parcel {
  readonly atMs: number
  readonly events: number
}

/** What waits in one lane, oldest first. What a failed call gives back comes before the rest. */
export class Queue {
  #parcels: Parcel[] = []
  #head = 0
  #returned: Parcel[] = []
  #events = 0

  get events(): number {
    return this.#events
  }

  get oldestMs(): number | undefined {
    return (this.#returned.at(-1) ?? this.#parcels[this.#head])?.atMs
  }

  add(parcel: Parcel): void {
    this.#parcels.push(parcel)
    this.#events += parcel.events
  }

  take(most: number): Parcel[] {
    const taken: Parcel[] = []
    for (let left = most; left > 0 && this.#events > 0; ) {
      const parcel = this.#returned.pop() ?? this.#next()
      const events = Math.min(left, parcel.events)
      if (events < parcel.events) this.#returned.push({ atMs: parcel.atMs, events: parcel.events - events })
      taken.push({ atMs: parcel.atMs, events })
      left -= events
      this.#events -= events
    }
    return taken
  }

  giveBack(parcels: readonly Parcel[]): void {
    for (const parcel of parcels.toReversed()) {
      this.#returned.push(parcel)
      this.#events += parcel.events
    }
  }

  #next(): Parcel {
    const parcel = this.#parcels[this.#head++] as Parcel
    if (this.#head > 10_000 && this.#head * 2 > this.#parcels.length) {
      this.#parcels = this.#parcels.slice(this.#head)
      this.#head = 0
    }
    return parcel
  }
}
