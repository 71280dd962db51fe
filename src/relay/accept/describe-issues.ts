import type { StandardSchemaV1 } from '@standard-schema/spec'

const MAX_ISSUES = 3
const MAX_LENGTH = 300
const HEAD_LENGTH = 16
const WORD_CHARACTER = /[\p{L}\p{N}]/u
const PLAIN_KEY = /^[A-Za-z_$][\w$-]{0,63}$/

/**
 * A schema's complaints in one line: path and message, without the data. Some libraries quote the value they got
 * (`received "…"`), so a message in which any value or unusual key of the data appears is replaced.
 *
 * @example describeIssues(issues, { quantity: 'x' }) // 'quantity: Invalid input: expected number, received string'
 */
export function describeIssues(issues: readonly StandardSchemaV1.Issue[], data: unknown): string {
  const values = new Set<string>()
  collect(data, values)
  const lines = issues.slice(0, MAX_ISSUES).map((issue) => {
    const path = (issue.path ?? []).map(segment).join('.') || 'data'
    return `${path}: ${quotes(issue.message, values) ? 'does not fit the schema' : issue.message}`
  })
  if (issues.length > MAX_ISSUES) lines.push(`and ${issues.length - MAX_ISSUES} more`)
  const line = lines.join('; ')
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH - 1)}…` : line
}

/** Keys are shown when they look like a field's name; in a record they may be data. */
function segment(part: PropertyKey | StandardSchemaV1.PathSegment): string {
  const key = typeof part === 'object' ? part.key : part
  if (typeof key === 'number') return String(key)
  return typeof key === 'string' && (PLAIN_KEY.test(key) || /^\d{1,9}$/.test(key)) ? key : '[…]'
}

function collect(value: unknown, into: Set<string>): void {
  if (typeof value === 'string' || typeof value === 'number') into.add(String(value))
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    if (!Array.isArray(value) && !PLAIN_KEY.test(key)) into.add(key)
    collect(member, into)
  }
}

function quotes(message: string, values: ReadonlySet<string>): boolean {
  for (const value of values) {
    if (value !== '' && contains(message, value)) return true
  }
  return false
}

/**
 * Whether `value`, or the start of a long one (messages shorten what they quote), stands in `text` by itself:
 * `a` is not found in `Invalid`, nor 1 in 10.
 */
function contains(text: string, value: string): boolean {
  const head = value.slice(0, HEAD_LENGTH)
  for (let at = text.indexOf(head); at !== -1; at = text.indexOf(head, at + 1)) {
    const startsWord = !WORD_CHARACTER.test(text.charAt(at - 1))
    const endsWord = head.length < value.length || !WORD_CHARACTER.test(text.charAt(at + head.length))
    if (startsWord && endsWord) return true
  }
  return false
}
