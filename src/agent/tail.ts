import type { AppendGroup, Durability, RecordingOutbox, Segment, StreamHead } from '../outbox/contract.ts'
import { bytesIn, eventsIn } from '../outbox/core/sums.ts'
import { MetertapError } from '../wire/errors.ts'
import { Group } from './receipt.ts'
import type { RollupWrite } from './rollups.ts'
import { type RunLimits, Runs, segmentOf } from './runs.ts'
import { StreamBook, type StreamBookOptions } from './stream-book.ts'

export interface TailOptions extends RunLimits, StreamBookOptions {
  readonly accountTag: string
  /** See Runtime. */
  readonly maxGroupBytes?: number | undefined
  /** Shared by the agents that number one stream together. Default: a stream of its own. */
  readonly book?: StreamBook | undefined
  readonly utf8Length: (text: string) => number
  readonly queueMicrotask: (callback: () => void) => void
  /** A group is stored: its segments, what they survive, and by how much the outbox holds more events than before. */
  readonly onStored: (segments: readonly Segment[], durability: Durability, moreEvents: number) => void
  readonly onFailed: (error: MetertapError, events: number) => void
  /** What a group commit has to write of roll-ups. */
  readonly rollups: () => RollupWrite
}

/** A group on its way into the outbox. */
interface Cut {
  readonly append: Required<Omit<AppendGroup, 'hidden'>>
  readonly rollups: RollupWrite
  readonly receipts: Group
  /** Plain events in it; the events of roll-ups had their numbers before. */
  readonly events: number
  /** Bytes of all its segments. */
  readonly bytes: number
  /** Numbers given out and not given up, up to this group. */
  readonly kept: number
}

/**
 * The in-memory end of this agent's stream: takes serialised events, and one microtask later writes all of them as
 * one group. Until the outbox is open they wait here.
 */
export class Tail {
  readonly #options: TailOptions
  #outbox: RecordingOutbox | undefined
  readonly #book: StreamBook
  /** What went through here; the book counts for all who share the stream. */
  #recorded = 0
  readonly #refused: Record<string, number> = {}
  readonly #runs: Runs
  #group = new Group()
  #strict = false
  #scheduled = false
  #headDirty = false
  /** Groups whose fate is not known, in the order of their numbers. */
  readonly #unstored = new Set<Cut>()
  #storing = 0
  #storingBytes = 0
  #last: Promise<void> = Promise.resolve()

  constructor(options: TailOptions) {
    this.#options = options
    this.#book = options.book ?? new StreamBook(options)
    this.#runs = new Runs(options)
  }

  get stream(): string {
    return this.#book.stream
  }

  get recorded(): number {
    return this.#recorded
  }

  /** Events that are not yet stored. */
  get waiting(): number {
    return this.#storing + this.#runs.events
  }

  /** Their bytes, about. */
  get waitingBytes(): number {
    return this.#storingBytes + this.#runs.chars
  }

  get refused(): Readonly<Record<string, number>> {
    return this.#refused
  }

  head(): StreamHead {
    return this.#book.head(this.#options.accountTag)
  }

  add(text: string, strict: boolean): { seq: number; group: Group } {
    const seq = this.#next()
    this.#runs.add(seq, text)
    if (strict) this.#strict = true
    const group = this.#group
    this.#schedule()
    const { maxGroupBytes } = this.#options
    if (maxGroupBytes && this.#runs.chars > maxGroupBytes) this.commit()
    return { seq, group }
  }

  /** A number for a roll-up's window, whose text comes with take(); the next group commit writes it. */
  reserve(): number {
    this.touch()
    return this.#next()
  }

  /** There is something to commit that was not add()ed: a roll-up or a head. */
  touch(): void {
    this.#headDirty = true
    this.#schedule()
  }

  /** Counts a refused record(), so that the ledger sees it; it travels with the next group or batch. */
  refuse(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
    this.#book.refuse(code)
    this.touch()
  }

  /** The outbox is open: from now on every group is written in the microtask after its first event. */
  attach(outbox: RecordingOutbox): void {
    this.#outbox = outbox
    for (const cut of this.#unstored) this.#store(outbox, cut)
    this.commit()
  }

  /** Writes the whole tail now, synchronously up to the storage call. */
  commit(): void {
    if (this.#outbox) this.#write()
  }

  /** All that is on its way and not yet stored, as one group. Undefined when there is nothing. */
  unstored(): AppendGroup | undefined {
    const groups = [...this.#unstored].map(({ append }) => append)
    const last = groups.at(-1)
    if (!last) return undefined
    const segments = groups.flatMap((group) => group.segments)
    const rollups = groups.flatMap((group) => group.rollups)
    return { ...last, segments, rollups, closed: groups.flatMap(({ closed }) => closed) }
  }

  /**
   * Cuts the tail and waits until every group so far is stored, or has failed and said so; but not for the outbox to
   * open: what was cut before is stored then.
   */
  async settled(): Promise<void> {
    this.#write()
    await this.#last
  }

  #write(): void {
    if (this.#runs.isEmpty && !this.#headDirty) return
    const cut = this.#cut(this.#options.rollups())
    this.#unstored.add(cut)
    this.#storing += cut.events
    this.#storingBytes += cut.bytes
    if (this.#outbox) this.#store(this.#outbox, cut)
  }

  #store(outbox: RecordingOutbox, cut: Cut): void {
    const stored = outbox.append(cut.append).then(
      (durability) => this.#onStored(cut, durability),
      (cause: unknown) => this.#giveUp(cut, cause),
    )
    this.#last = Promise.all([this.#last, stored]).then(() => {})
  }

  /** Takes all that is to be written; the next group begins. */
  #cut(rollups: RollupWrite): Cut {
    const { accountTag, utf8Length } = this.#options
    const plain = this.#runs.take().map((run) => segmentOf(this.stream, run, utf8Length))
    const sums = rollups.closed.map(({ seq, event }) => {
      return segmentOf(this.stream, { first: seq, texts: [event] }, utf8Length)
    })
    const segments = [...plain, ...sums]
    const bytes = bytesIn(segments)
    this.#book.bytes += bytes
    const append = {
      head: this.head(),
      segments,
      strict: this.#strict || rollups.strict,
      rollups: rollups.open.map((window) => ({ ...window, stream: this.stream, accountTag })),
      closed: rollups.closed.map(({ seq }) => seq),
    }
    const events = eventsIn(plain)
    const cut = { append, rollups, receipts: this.#group, events, bytes, kept: this.#book.keeping }
    this.#group = new Group()
    this.#strict = false
    this.#headDirty = false
    return cut
  }

  /** Its fate is known. */
  #arrived(cut: Cut): void {
    this.#unstored.delete(cut)
    this.#storing -= cut.events
    this.#storingBytes -= cut.bytes
  }

  #next(): number {
    this.#recorded++
    return this.#book.recorded++
  }

  #onStored(cut: Cut, durability: Durability): void {
    const { append, rollups, receipts, kept } = cut
    this.#arrived(cut)
    receipts.stored(durability)
    rollups.stored(durability)
    const moreEvents = kept - this.#book.kept
    this.#book.kept = kept
    this.#options.onStored(append.segments, durability, moreEvents)
  }

  /**
   * The receipts of a failed group say so, and their callers may record again: so its events never come back. They are
   * declared as dropped in the head that goes with the next group. Sums of roll-ups do come back: they are still known,
   * and their receipts wait.
   */
  #giveUp(cut: Cut, cause: unknown): void {
    const { rollups, receipts, events, bytes } = cut
    const error = cause instanceof MetertapError ? cause : storeFailure(cause)
    this.#arrived(cut)
    this.#book.bytes -= bytes
    this.#headDirty = true
    if (events > 0) {
      this.#book.drop(error.code, events)
      this.#schedule()
    }
    receipts.failed(error)
    rollups.failed(error)
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
}

function storeFailure(cause: unknown): MetertapError {
  const name = (cause as Error)?.name ?? typeof cause
  return new MetertapError('outbox_unavailable', `The outbox could not store the events (${name}).`, {}, cause)
}
