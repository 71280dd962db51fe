import type { Aggregate, Meter } from '../meter/contract.ts'
import { checkTime, type SizeLimit } from '../meter/encode-event.ts'
import type { Durability } from '../outbox/contract.ts'
import type { MetertapError } from '../wire/errors.ts'
import { Group } from './receipt.ts'
import { firstText, type Row, sampleOf } from './rollup-sample.ts'
import { keyOf, RollupWindow, type WindowTimes, windowTimes } from './rollup-window.ts'

/** A window as it goes into the outbox. */
export interface RollupText {
  readonly seq: number
  readonly closesAtMs: number
  /** The event's JSON as of now. */
  readonly event: string
}

/** The part that roll-ups have in a group commit; one of `stored` and `failed` is called when its fate is known. */
export interface RollupWrite {
  readonly open: readonly RollupText[]
  readonly closed: readonly RollupText[]
  readonly strict: boolean
  stored(durability: Durability): void
  failed(error: MetertapError): void
}

export interface RollupsOptions extends SizeLimit {
  /** Wall clock, ms since 1970. */
  readonly now: () => number
  /** Never set back, ms. */
  readonly monotonic: () => number
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Throws when there is no room for another window's event. */
  readonly admit: (bytes: number) => void
  /** Gives the next number of this agent's stream. */
  readonly reserve: () => number
  /** What take() gives has changed. */
  readonly onDue: () => void
}

/** How long after a failed write the next one follows by itself. */
const REWRITE_MS = 5_000

/**
 * Adds events up within their windows. Each window has a number of the stream from its first event on and is written
 * with every group commit, so a crash loses nothing that a receipt called durable. A write that fails is repeated: the
 * sums are still here, and their receipts wait.
 */
export class Rollups {
  readonly #options: RollupsOptions
  readonly #windows = new Map<string, RollupWindow>()
  #closing: RollupWindow[] = []
  /** Whose additions no take() has given yet, or only in vain. */
  #unstored: Group[] = []
  #group: Group | undefined
  #strict = false
  #bytes = 0
  #failure: MetertapError | undefined
  #purges = 0
  #timer: { dueMs: number; cancel: () => void } | undefined

  constructor(options: RollupsOptions) {
    this.#options = options
  }

  /** Windows that are open. */
  get size(): number {
    return this.#windows.size
  }

  /** About as many bytes as the open windows' events will have. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Adds an event to its window; gives the window's number and the fate of this addition.
   * @throws MetertapError `invalid_data`, `async_schema`, `not_json`, `bad_time`, `event_too_large` or `outbox_full`.
   */
  add(meter: Meter, atMs: number, data: unknown, strict: boolean): { seq: number; group: Group } {
    checkTime(meter, atMs)
    const aggregate = meter.options.aggregate as Aggregate
    const sample = sampleOf(meter, aggregate, data)
    const { now, monotonic, onDue } = this.#options
    const times = windowTimes(atMs, aggregate.windowMs, now(), monotonic())
    const key = keyOf(meter, aggregate, times.startMs, sample)
    const known = this.#windows.get(key)
    // A timer can be late by hours, after sleep: what has ended takes nothing more.
    const grown = known && !this.#isOver(known) && known.add(sample) ? known : undefined
    const window = grown ?? this.#open(meter, aggregate, { key, times, sample })
    this.#group ??= new Group()
    if (strict) this.#strict = true
    onDue()
    return { seq: window.place.seq, group: this.#group }
  }

  /** What a group commit has to write: windows that changed, and events of windows that ended. */
  take(): RollupWrite {
    const open = [...this.#windows.values()].filter(({ isDirty }) => isDirty)
    for (const window of open) window.isDirty = false
    const closed = this.#closing
    const groups = this.#group ? [...this.#unstored, this.#group] : this.#unstored
    const strict = this.#strict
    const purges = this.#purges
    this.#closing = []
    this.#unstored = []
    this.#group = undefined
    this.#strict = false
    return {
      open: open.map(textOf),
      closed: closed.map(textOf),
      strict,
      stored: (durability) => {
        for (const group of groups) group.stored(durability)
      },
      failed: (error) => {
        const isPurged = purges < this.#purges
        this.#takeBack({ open, closed: isPurged ? [] : closed, groups, strict, error })
      },
    }
  }

  /** Ends the windows whose time has come, or all of them. */
  close(all: boolean): void {
    for (const window of [...this.#windows.values()]) if (all || this.#isOver(window)) this.#end(window)
    for (const { place } of this.#windows.values()) this.#wakeAt(place.dueMs)
    if (this.#closing.length > 0 || this.#unstored.length > 0) this.#options.onDue()
  }

  /** Purged: their numbers are gone, so what comes next opens new windows. */
  forget(): void {
    this.#windows.clear()
    this.#closing = []
    this.#bytes = 0
    this.#purges++
  }

  /** No more tries: what was not stored by now says so. What was stored of it will be found by another agent. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#failure) for (const group of this.#unstored.splice(0)) group.failed(this.#failure)
  }

  #isOver({ place }: RollupWindow): boolean {
    const { now, monotonic } = this.#options
    // Either clock will do: one may be set back, the other may stand still while the machine sleeps.
    return place.closesAtMs <= now() || place.dueMs <= monotonic()
  }

  #open(
    meter: Meter,
    aggregate: Aggregate,
    { key, times, sample }: { key: string; times: WindowTimes; sample: Row },
  ): RollupWindow {
    const text = firstText(meter, times.startMs, sample, this.#options)
    this.#options.admit(text.length)
    const old = this.#windows.get(key)
    if (old) this.#end(old)
    const window = new RollupWindow({ ...times, key, meter, aggregate, seq: this.#options.reserve() }, sample)
    this.#windows.set(key, window)
    this.#bytes += text.length
    this.#wakeAt(times.dueMs)
    return window
  }

  #end(window: RollupWindow): void {
    this.#windows.delete(window.place.key)
    this.#bytes = this.#windows.size === 0 ? 0 : Math.max(0, this.#bytes - window.event.length)
    this.#closing.push(window)
  }

  #takeBack(write: {
    open: readonly RollupWindow[]
    closed: readonly RollupWindow[]
    groups: readonly Group[]
    strict: boolean
    error: MetertapError
  }): void {
    const { open, closed, groups, strict, error } = write
    // One that has ended since is in a later write, or will be.
    for (const window of open) if (this.#windows.get(window.place.key) === window) window.isDirty = true
    this.#closing.unshift(...closed)
    this.#unstored.unshift(...groups)
    this.#strict ||= strict
    this.#failure = error
    if (this.#unstored.length + this.#closing.length > 0) this.#wakeAt(this.#options.monotonic() + REWRITE_MS)
  }

  /** One timer, for what is due first. */
  #wakeAt(dueMs: number): void {
    if (this.#timer && this.#timer.dueMs <= dueMs) return
    this.#timer?.cancel()
    const due = () => {
      this.#timer = undefined
      this.close(false)
    }
    this.#timer = { dueMs, cancel: this.#options.setTimer(due, Math.max(0, dueMs - this.#options.monotonic())) }
  }
}

function textOf({ place: { seq, closesAtMs }, event }: RollupWindow): RollupText {
  return { seq, closesAtMs, event }
}
