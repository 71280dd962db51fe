import type { Aggregate, Meter } from '../meter/contract.ts'
import { validateData } from '../meter/encode-event.ts'
import { CompensatedSum } from './compensated-sum.ts'
import { dataOf, type Sample, windowStart } from './rollup-sample.ts'

/** Where a window stands in time. */
export interface WindowTimes {
  readonly startMs: number
  /** By the wall clock, ms since 1970. */
  readonly closesAtMs: number
  /** By the clock that is never set back. */
  readonly dueMs: number
}

/** Where it belongs, and the number that its event has from the first moment on. */
export interface WindowPlace extends WindowTimes {
  readonly key: string
  readonly meter: Meter
  readonly aggregate: Aggregate
  readonly seq: number
}

/** An open window: its running sums. */
export class RollupWindow {
  readonly place: WindowPlace
  /** Whether the sums have grown since they were last given to the outbox. */
  isDirty = true
  readonly #parts: Sample['parts']
  #sums: readonly CompensatedSum[]

  constructor(place: WindowPlace, { parts, amounts }: Sample) {
    this.place = place
    this.#parts = parts
    this.#sums = amounts.map((amount) => new CompensatedSum(amount))
  }

  /** Adds if the sums then still fit the schema; false when they do not, and nothing has changed. */
  add({ amounts }: Sample): boolean {
    const { meter, aggregate } = this.place
    const sums = this.#sums.map((sum, i) => sum.plus(amounts[i] ?? 0))
    const values = sums.map(({ value }) => value)
    if (values.some((value, i) => isInexact(value, this.#sums[i]?.value, amounts[i]))) return false
    if (!fits(meter, dataOf(aggregate, { parts: this.#parts, amounts: values }))) return false
    this.#sums = sums
    this.isDirty = true
    return true
  }

  /** The event's JSON as of now. */
  get event(): string {
    const { meter, aggregate, startMs } = this.place
    const amounts = this.#sums.map(({ value }) => value)
    return JSON.stringify([meter.name, startMs, dataOf(aggregate, { parts: this.#parts, amounts })])
  }
}

/** Whole numbers add up to a whole number, and beyond 2^53 that cannot be held exactly. */
function isInexact(sum: number, ...addends: readonly (number | undefined)[]): boolean {
  return !Number.isSafeInteger(sum) && addends.every((each) => Number.isSafeInteger(each))
}

function fits(meter: Meter, data: unknown): boolean {
  try {
    validateData(meter, data)
    return true
  } catch {
    return false
  }
}

/** A window ends with its span of time; late usage, and early, gathers for as long as a window is. */
export function windowTimes(atMs: number, windowMs: number, nowMs: number, steadyMs: number): WindowTimes {
  const startMs = windowStart(atMs, windowMs)
  const endMs = startMs + windowMs
  const closesAtMs = endMs > nowMs ? Math.min(endMs, nowMs + windowMs) : nowMs + windowMs
  return { startMs, closesAtMs, dueMs: steadyMs + closesAtMs - nowMs }
}

/** Tells windows of one start apart. A field that is missing is another value than null. */
export function keyOf(meter: Meter, startMs: number, { parts }: Sample): string {
  return JSON.stringify([meter.name, startMs, parts.map((part) => (part === undefined ? [] : part))])
}
