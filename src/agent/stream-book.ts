import type { StreamHead } from '../outbox/contract.ts'

export interface StreamBookOptions {
  readonly newStreamId: () => string
  /** Wall clock, ms since 1970. */
  readonly now: () => number
}

/**
 * A stream's numbers and what its owner says of them. Plain data, no promise and no timer, so that the agents of several
 * requests in one isolate may share it.
 */
export class StreamBook {
  readonly #options: StreamBookOptions
  #opened: { id: string; atMs: number } | undefined
  recorded = 0
  /** Of every segment that was cut. */
  bytes = 0
  /** Numbers that were given out and not given up, as of the newest group that is stored. */
  kept = 0
  readonly #refused: Record<string, number> = {}
  readonly #dropped: Record<string, number> = {}

  constructor(options: StreamBookOptions) {
    this.#options = options
  }

  /** The stream's id; the first use opens it, so whoever records nothing leaves nothing. */
  get stream(): string {
    this.#opened ??= { id: this.#options.newStreamId(), atMs: this.#options.now() }
    return this.#opened.id
  }

  head(accountTag: string): StreamHead {
    const { stream, recorded, bytes } = this
    const openedAtMs = this.#opened?.atMs ?? 0
    const [dropped, refused] = [{ ...this.#dropped }, { ...this.#refused }]
    return { stream, accountTag, openedAtMs, recorded, bytes, dropped, refused }
  }

  refuse(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
  }

  drop(reason: string, events: number): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + events
  }

  /** Numbers given out and not given up. */
  get keeping(): number {
    return Object.values(this.#dropped).reduce((left, count) => left - count, this.recorded)
  }
}
