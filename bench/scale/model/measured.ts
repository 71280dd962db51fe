import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Points that one command measures together. */
export interface MeasuredPart {
  readonly command: string
  readonly machine: string
  /** YYYY-MM-DD. */
  readonly date: string
  /** Processes that wanted to run, over the minute before. */
  readonly load: number
  /** Others used the machine as well: ratios matter, figures of time less. */
  readonly isPreliminary: boolean
  /** By name, which ends in the unit. */
  readonly points: Readonly<Record<string, number>>
}

export type Measured = Readonly<Record<string, MeasuredPart>>

const FILE = join(import.meta.dirname, '../measured.json')

export function readMeasured(file = FILE): Measured {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Figures are kept with four digits: no measurement here is better than that. */
export function writeMeasured(measured: Measured, file = FILE): void {
  const round = (name: string, value: unknown): unknown =>
    typeof value === 'number' && name !== 'load' ? Number(value.toPrecision(4)) : value
  writeFileSync(file, `${JSON.stringify(measured, round, 2)}\n`)
}

/** A point by its name. Errors: RangeError for one that was never measured. */
export function pointOf(measured: Measured, name: string): number {
  for (const { points } of Object.values(measured)) {
    const value = points[name]
    if (value !== undefined) return value
  }
  throw new RangeError(`There is no point ${name} in bench/scale/measured.json: run npm run scale:measure -- --write.`)
}
