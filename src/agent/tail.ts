import type { Durability, Outbox, Segment, StreamHead } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import { Group } from './receipt.ts'
import type { RollupText } from './rollups.ts'

export interface TailOptions {
  readonly accountTag: string
  readonly newStreamId: () => string
  readonly now: () => number
  readonly utf8Length: (text: string) => number
  readonly queueMicrotask: (callback: () => void) => void
  readonly maxSegmentBytes: number
  readonly maxSegmentEvents: number
  /** A group is stored: its segments, and what they survive. */
  readonly onStored: (segments: readonly Segment[], durability: Durability) => void
  readonly onFailed: (error: MetertapError, events: number) => void
  /** Windows of roll-ups that a group commit has to write. */
  readonly rollups: () => { open: readonly RollupText[]; closed: readonly RollupText[] }
}

interface Run {
  first: number
  texts: string[]
  chars: number
}

const NON_ASCII = /[\u0080-\uffff]/

/**
 * The in-memory end of this agent's stream: takes serialised events, and one microtask later writes all of them as
 * one group. Until the outbox is open they wait here.
 */
export class Tail {
  readonly #options: TailOptions
  #outbox: Outbox | undefined
  #stream: { id: string; openedAtMs: number } | undefined
  #recorded = 0
  #bytes = 0
  readonly #refused: Record<string, number> = {}
  readonly #dropped: Record<string, number> = {}
  #runs: Run[] = []
  #group = new Group()
  #strict = false
  #scheduled = false
  #headDirty = false
  #storing = 0
  #last: Promise<void> = Promise.resolve()

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** The stream's id; the stream is opened by the first use, so a page that records nothing leaves nothing. */
  get stream(): string {
    this.#stream ??= { id: this.#options.newStreamId(), openedAtMs: this.#options.now() }
    return this.#stream.id
  }

  get recorded(): number {
    return this.#recorded
  }

  /** Events that are not yet stored. */
  get waiting(): number {
    let count = this.#storing
    for (const run of this.#runs) count += run.texts.length
    return count
  }

  get refused(): Readonly<Record<string, number>> {
    return this.#refused
  }

  head(): StreamHead {
    const stream = this.stream
    const openedAtMs = this.#stream?.openedAtMs ?? 0
    const { accountTag } = this.#options
    return {
      stream,
      accountTag,
      openedAtMs,
      recorded: this.#recorded,
      bytes: this.#bytes,
      dropped: { ...this.#dropped },
      refused: { ...this.#refused },
    }
  }

  add(text: string, strict: boolean): { seq: number; group: Group } {
    const seq = this.#recorded++
    let run = this.#runs.at(-1)
    const { maxSegmentBytes, maxSegmentEvents } = this.#options
    // A number reserved in between starts a new run: a segment has no gap.
    const follows = run !== undefined && run.first + run.texts.length === seq
    if (!run || !follows || run.texts.length >= maxSegmentEvents || run.chars + text.length > maxSegmentBytes) {
      run = { first: seq, texts: [], chars: 0 }
      this.#runs.push(run)
    }
    run.texts.push(text)
    run.chars += text.length + 1
    if (strict) this.#strict = true
    this.#schedule()
    return { seq, group: this.#group }
  }

  /** A number for a roll-up's window, whose text comes with take(); the next group commit writes it. */
  reserve(): number {
    this.touch()
    return this.#recorded++
  }

  /** The group that the next commit writes. */
  get group(): Group {
    return this.#group
  }

  /** There is something to commit that was not add()ed: a roll-up or a head. */
  touch(strict = false): void {
    if (strict) this.#strict = true
    this.#headDirty = true
    this.#schedule()
  }

  /** Counts a refused record(), so that the ledger sees it; it travels with the next group or batch. */
  refuse(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
    this.touch()
  }

  /** The outbox is open: from now on every group is written in the microtask after its first event. */
  attach(outbox: Outbox): void {
    this.#outbox = outbox
    this.commit()
  }

  /** Writes the whole tail now, synchronously up to the storage call. */
  commit(): void {
    const outbox = this.#outbox
    if (!outbox || (this.#runs.length === 0 && !this.#headDirty)) return
    const { open, closed } = this.#options.rollups()
    const single = closed.map(({ seq, event }) => ({ first: seq, texts: [event], chars: event.length }))
    const segments = [...this.#runs, ...single].map((run) => this.#segment(run))
    const { accountTag } = this.#options
    const rollups = open.map((window) => ({ ...window, stream: this.stream, accountTag }))
    const group = this.#group
    const strict = this.#strict
    this.#runs = []
    this.#group = new Group()
    this.#strict = false
    this.#headDirty = false
    const events = segments.reduce((sum, { count }) => sum + count, 0)
    this.#storing += events
    const stored = outbox
      .append({ head: this.head(), segments, strict, rollups, closed: closed.map(({ seq }) => seq) })
      .then(
        (durability) => {
          this.#storing -= events
          group.stored(durability)
          this.#options.onStored(segments, durability)
        },
        (cause: unknown) => this.#giveUp(group, segments, cause),
      )
    this.#last = Promise.all([this.#last, stored]).then(() => {})
  }

  /** Writes the tail and waits until every group so far is stored, or has failed and said so. */
  async settled(): Promise<void> {
    this.commit()
    await this.#last
  }

  /**
   * The receipts of a failed group say so, and their callers may record again: so its events never come back. They are
   * declared as dropped in the head that goes with the next group.
   */
  #giveUp(group: Group, segments: readonly Segment[], cause: unknown): void {
    const error = cause instanceof MetertapError ? cause : storeFailure(cause)
    let events = 0
    for (const { count, bytes } of segments) {
      events += count
      this.#bytes -= bytes
    }
    this.#storing -= events
    this.#headDirty = true
    if (events > 0) {
      this.#dropped[error.code] = (this.#dropped[error.code] ?? 0) + events
      this.#schedule()
    }
    group.failed(error)
    this.#options.onFailed(error, events)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#options.queueMicrotask(() => {
      this.#scheduled = false
      this.commit()
    })
  }

  #segment({ first, texts }: Run): Segment {
    const body = texts.join()
    const bytes = NON_ASCII.test(body) ? this.#options.utf8Length(body) : body.length
    this.#bytes += bytes
    return { stream: this.stream, first, count: texts.length, bytes, body }
  }
}

function storeFailure(cause: unknown): MetertapError {
  const name = (cause as Error)?.name ?? typeof cause
  return new MetertapError('outbox_unavailable', `The outbox could not store the events (${name}).`, {}, cause)
}
