import type { Aggregate, Meter } from '../meter/contract.ts'
import { checkTime, validateData } from '../meter/encode-event.ts'
import { MetertapError } from '../wire/errors.ts'

type Row = Record<string, unknown>

/** A window that is open: its running sums, and the number that its event will have. */
interface Window {
  readonly key: string
  readonly meter: Meter
  readonly startMs: number
  readonly closesAtMs: number
  readonly data: Row
  readonly seq: number
  dirty: boolean
}

/** A window as it goes into the outbox. */
export interface RollupText {
  readonly seq: number
  readonly closesAtMs: number
  /** The event's JSON as of now. */
  readonly event: string
}

export interface RollupsOptions {
  readonly now: () => number
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Gives the next number of this agent's stream. */
  readonly reserve: () => number
  /** A window ended: what take() gives has changed. */
  readonly onDue: () => void
}

function refuse(meter: Meter, text: string): never {
  throw new MetertapError('invalid_data', `Meter "${meter.name}" refused the event. ${text}`, { meter: meter.name })
}

function numberOf(meter: Meter, data: Row, field: string): number {
  const value = data[field]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  return refuse(meter, `${field}: aggregate.sum names it, so it must be a number.`)
}

function partOf(meter: Meter, data: Row, field: string): unknown {
  const value = data[field]
  if (value === null || ['undefined', 'string', 'number', 'boolean'].includes(typeof value)) return value
  return refuse(meter, `${field}: aggregate.by names it, so it must be a string, a number, a boolean or null.`)
}

/**
 * Adds events up within their windows. Each window has a number of the stream from its first event on and is written
 * with every group commit, so a crash loses nothing that a receipt called durable.
 */
export class Rollups {
  readonly #options: RollupsOptions
  readonly #windows = new Map<string, Window>()
  #closing: Window[] = []
  #timer: { atMs: number; cancel: () => void } | undefined

  constructor(options: RollupsOptions) {
    this.#options = options
  }

  /** Windows that are open. */
  get size(): number {
    return this.#windows.size
  }

  /**
   * Adds an event to its window; gives the window's number.
   * @throws MetertapError `invalid_data`, `async_schema`, `not_json` or `bad_time`.
   */
  add(meter: Meter, aggregate: Aggregate, atMs: number, data: unknown): number {
    checkTime(meter, atMs)
    const row = validateData(meter, data) as Row
    if (row === null || typeof row !== 'object') refuse(meter, 'aggregate needs data that is an object.')
    const { windowMs, sum, by = [] } = aggregate
    const startMs = Math.floor(atMs / windowMs) * windowMs
    const parts = by.map((field) => partOf(meter, row, field))
    const amounts = sum.map((field) => numberOf(meter, row, field))
    const key = JSON.stringify([meter.name, startMs, parts])
    const known = this.#windows.get(key)
    const window = known ?? this.#open(meter, { key, startMs, windowMs }, pickFields(by, parts, sum, amounts))
    if (known)
      for (const [i, field] of sum.entries()) known.data[field] = (known.data[field] as number) + (amounts[i] ?? 0)
    window.dirty = true
    return window.seq
  }

  /** What a group commit has to write: windows that changed, and events of windows that ended. */
  take(): { open: RollupText[]; closed: RollupText[] } {
    const open = [...this.#windows.values()].filter(({ dirty }) => dirty)
    for (const window of open) window.dirty = false
    const closed = this.#closing
    this.#closing = []
    return { open: open.map(textOf), closed: closed.map(textOf) }
  }

  /** Ends the windows whose time has come, or all of them. */
  close(all: boolean): void {
    const nowMs = this.#options.now()
    for (const window of this.#windows.values()) {
      if (!all && window.closesAtMs > nowMs) continue
      this.#windows.delete(window.key)
      this.#closing.push(window)
    }
    for (const { closesAtMs } of this.#windows.values()) this.#wakeAt(closesAtMs)
    if (this.#closing.length > 0) this.#options.onDue()
  }

  #open(meter: Meter, place: { key: string; startMs: number; windowMs: number }, data: Row): Window {
    const { key, startMs, windowMs } = place
    // The sum has to pass the schema too, or the relay will refuse it: better now than then.
    validateData(meter, data)
    const nowMs = this.#options.now()
    const endMs = startMs + windowMs
    // Late usage of a window that is over gets a window's time to gather, too.
    const closesAtMs = endMs > nowMs ? endMs : nowMs + windowMs
    const window = { key, meter, startMs, closesAtMs, data, seq: this.#options.reserve(), dirty: true }
    this.#windows.set(key, window)
    this.#wakeAt(closesAtMs)
    return window
  }

  /** One timer, for the window that ends first. */
  #wakeAt(atMs: number): void {
    if (this.#timer && this.#timer.atMs <= atMs) return
    this.#timer?.cancel()
    const due = () => {
      this.#timer = undefined
      this.close(false)
    }
    this.#timer = { atMs, cancel: this.#options.setTimer(due, Math.max(0, atMs - this.#options.now())) }
  }

  /** Purged: their numbers are gone, so what comes next opens new windows. */
  forget(): void {
    this.#windows.clear()
    this.#closing = []
    this.stop()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}

function pickFields(
  by: readonly string[],
  parts: readonly unknown[],
  sum: readonly string[],
  amounts: readonly number[],
): Row {
  const row: Row = {}
  for (const [i, field] of by.entries()) if (parts[i] !== undefined) row[field] = parts[i]
  for (const [i, field] of sum.entries()) row[field] = amounts[i]
  return row
}

function textOf({ seq, closesAtMs, meter, startMs, data }: Window): RollupText {
  return { seq, closesAtMs, event: JSON.stringify([meter.name, startMs, data]) }
}
