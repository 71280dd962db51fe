import type { FieldType, MeterOptions, Row } from './contract.ts'

/** Why the body as a whole is refused. */
export interface BodyProblem {
  readonly status: 400 | 413
  readonly message: string
}

export interface ParsedBody {
  readonly rows: readonly Row[]
}

/** Why one row is refused. */
export interface RowProblem {
  readonly index: number
  readonly message: string
}

const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/
/** One half of a surrogate pair: a character of four UTF-8 bytes, or one that UTF-8 cannot hold at all. */
const SURROGATE = /[\ud800-\udfff]/

/**
 * Reads an inflated body: one JSON object or an array of them. Anything else, an empty array too, is refused whole;
 * more rows than `maxRows` cost a 413.
 */
export function parseBody(bytes: Uint8Array, maxRows: number): ParsedBody | BodyProblem {
  const value = parseJson(bytes)
  if (value === undefined) return { status: 400, message: 'The body is not JSON in UTF-8.' }
  const rows = Array.isArray(value) ? value : [value]
  if (rows.length === 0) return { status: 400, message: 'The array holds no event.' }
  const odd = rows.findIndex((row) => typeof row !== 'object' || row === null || Array.isArray(row))
  if (odd >= 0) return { status: 400, message: `Row ${odd} is not a JSON object.` }
  if (rows.length > maxRows) return { status: 413, message: `${rows.length} rows are more than ${maxRows}.` }
  return { rows }
}

/** Undefined when the bytes are no JSON text in UTF-8; JSON itself has no undefined. A byte order mark is refused. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** Checks rows against the meter's definition. Types are strict: nothing is converted, null is never a value. */
export function checkRows(rows: readonly Row[], meter: MeterOptions): RowProblem[] {
  const problems: RowProblem[] = []
  rows.forEach((row, index) => {
    const message = rowProblem(row, meter)
    if (message) problems.push({ index, message })
  })
  return problems
}

function rowProblem(row: Row, meter: MeterOptions): string | undefined {
  for (const [name, rule] of Object.entries(meter.fields)) {
    if (!Object.hasOwn(row, name)) {
      if (rule.required ?? true) return `${name} is missing.`
    } else if (!TYPES[rule.type](row[name])) return `${name} is not of type ${rule.type}.`
  }
  return unknownFieldProblem(row, meter)
}

function unknownFieldProblem(row: Row, meter: MeterOptions): string | undefined {
  for (const name of Object.keys(row)) {
    if (Object.hasOwn(meter.fields, name)) continue
    if ((meter.unknownFields ?? 'refuse') === 'refuse') return `${name} is not in the event definition.`
    if (!isPlainText(name) || !holdsPlainText(row[name])) return 'A field holds a character of four UTF-8 bytes.'
  }
  return undefined
}

const TYPES: Record<FieldType, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string' && isPlainText(value),
  number: (value) => Number.isFinite(value),
  integer: (value) => Number.isSafeInteger(value),
  boolean: (value) => typeof value === 'boolean',
  date: (value) => typeof value === 'string' && isDate(value),
}

function isPlainText(text: string): boolean {
  return !SURROGATE.test(text)
}

/** Also inside lists and objects. A list of work instead of recursion: depth cannot break it. */
function holdsPlainText(value: unknown): boolean {
  const open = [value]
  while (open.length > 0) {
    const item = open.pop()
    if (typeof item === 'string' && !isPlainText(item)) return false
    if (typeof item === 'object' && item !== null) {
      for (const [name, inner] of Object.entries(item)) open.push(name, inner)
    }
  }
  return true
}

/** Exactly like 2026-03-31T10:30:00Z, and a moment that exists: no 31 February, no hour 24. */
function isDate(text: string): boolean {
  if (!DATE.test(text)) return false
  const date = new Date(text)
  return !Number.isNaN(date.getTime()) && date.toISOString() === text.replace('Z', '.000Z')
}
