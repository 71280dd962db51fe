import type { Aggregate, Meter } from '../meter/contract.ts'
import { validateData } from '../meter/encode-event.ts'
import { CompensatedSum } from './compensated-sum.ts'
import { type Row, windowStart } from './rollup-sample.ts'

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
  /** The first one: its `by` fields are those of all. */
  readonly #sample: Row
  #sums: readonly CompensatedSum[]

  constructor(place: WindowPlace, sample: Row) {
    this.place = place
    this.#sample = sample
    this.#sums = amountsOf(place.aggregate, sample).map((amount) => new CompensatedSum(amount))
  }

  /** Adds if the sums then still fit the schema; false when they do not, and nothing has changed. */
  add(sample: Row): boolean {
    const { meter, aggregate } = this.place
    const amounts = amountsOf(aggregate, sample)
    const sums = this.#sums.map((sum, i) => sum.plus(amounts[i] ?? 0))
    if (sums.some(({ value }, i) => isInexact(value, this.#sums[i]?.value, amounts[i]))) return false
    if (!fits(meter, this.#with(sums))) return false
    this.#sums = sums
    this.isDirty = true
    return true
  }

  /** The event's JSON as of now. */
  get event(): string {
    const { meter, startMs } = this.place
    return JSON.stringify([meter.name, startMs, this.#with(this.#sums)])
  }

  /** The summed event's data. */
  #with(sums: readonly CompensatedSum[]): Row {
    const row: Record<string, unknown> = { ...this.#sample }
    for (const [i, field] of this.place.aggregate.sum.entries()) row[field] = sums[i]?.value
    return row
  }
}

function amountsOf({ sum }: Aggregate, sample: Row): number[] {
  return sum.map((field) => sample[field] as number)
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
export function keyOf({ name }: Meter, { by = [] }: Aggregate, startMs: number, sample: Row): string {
  return JSON.stringify([name, startMs, by.map((field) => (field in sample ? sample[field] : []))])
}
