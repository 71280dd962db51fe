import type { AppendGroup, Rollup, StreamHead } from '../contract.ts'

/**
 * The newest that a stream's owner has said of it. A group that is stored late, on a second try, must not bring back an
 * older head or an older sum, nor one whose window is closed by now.
 */
export class OwnedStream {
  newest: StreamHead
  readonly #open = new Map<number, Rollup>()

  constructor(head: StreamHead) {
    this.newest = head
  }

  note({ head, rollups = [], closed = [] }: AppendGroup): void {
    this.newest = head
    for (const rollup of rollups) this.#open.set(rollup.seq, rollup)
    for (const seq of closed) this.#open.delete(seq)
  }

  /** Of these roll-ups those still open, as they are now. */
  current(rollups: readonly Pick<Rollup, 'seq'>[] = []): Rollup[] {
    return rollups.map(({ seq }) => this.#open.get(seq)).filter((rollup) => rollup !== undefined)
  }
}
