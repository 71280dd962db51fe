import type { Hidden, Quarantined, Rollup, Segment, StreamHead } from '../contract.ts'
import { sealOf } from './seal.ts'
import type { Progress } from './tables.ts'

/*
 * Rows outlive the code that wrote them: another script of the origin, a developer's tools or a damaged disk may have
 * changed them. One bad body would make the relay refuse its whole batch, again and again.
 */

type Reason = Quarantined['reason']
type Fields = Readonly<Record<string, unknown>>

/** What is wrong with a stored segment; undefined when it can be sent. */
export function segmentDamage(row: unknown): Reason | undefined {
  return isSegment(row) ? textDamage(row.body, row.count) : 'fields'
}

/** The same for a row whose seal is to be trusted. Rows without one are by another version, or were cut here. */
export function sealedDamage(row: unknown): Reason | undefined {
  return isSegment(row) && row.seal !== undefined && row.seal === sealOf(row) ? undefined : segmentDamage(row)
}

export function rollupDamage(row: unknown): Reason | undefined {
  return isRollup(row) ? textDamage(row.event, 1) : 'fields'
}

/** Whether the row has a segment's fields; its body may still be anything. */
export function isSegment(row: unknown): row is Segment {
  if (!isObject(row)) return false
  const { stream, first, count, bytes, body } = row
  if (typeof stream !== 'string' || typeof body !== 'string' || !isCount(first) || !isCount(count)) return false
  return count > 0 && Number.isSafeInteger(first + count) && isSize(bytes)
}

export function isHead(row: unknown): row is StreamHead {
  if (!isObject(row)) return false
  const { stream, accountTag, recorded, bytes, refused, dropped } = row
  if (typeof stream !== 'string' || typeof accountTag !== 'string') return false
  return isCount(recorded) && isSize(bytes) && isTally(refused) && (dropped === undefined || isTally(dropped))
}

export function isProgress(row: unknown): row is Progress {
  if (!isObject(row)) return false
  const { stream, settled, dead, dropped, gone, goneBytes, reported, changedAtMs } = row
  if (typeof stream !== 'string' || !isCount(settled) || !isCount(dead) || !isTally(dropped)) return false
  if (!Number.isFinite(goneBytes) || !Number.isFinite(changedAtMs) || !Array.isArray(gone)) return false
  return gone.every(isRange) && (reported === undefined || isReport(reported))
}

export function isHidden(row: unknown): row is Hidden {
  if (!isObject(row)) return false
  const { stream, first, count, hiddenAtMs, visibleAtMs } = row
  if (typeof stream !== 'string' || !isCount(first) || !isCount(count)) return false
  return Number.isFinite(hiddenAtMs) && Number.isFinite(visibleAtMs)
}

function isRollup(row: unknown): row is Rollup {
  if (!isObject(row)) return false
  const { stream, seq, accountTag, event } = row
  return typeof stream === 'string' && isCount(seq) && typeof accountTag === 'string' && typeof event === 'string'
}

function textDamage(body: string, count: number): Reason | undefined {
  const values = parsed(`[${body}]`)
  if (values === undefined) return 'not_json'
  if (!values.every(isEvent)) return 'not_events'
  return values.length === count ? undefined : 'count'
}

function parsed(text: string): unknown[] | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `["meter", at, data]`, with an idempotency key or without. */
function isEvent(value: unknown): boolean {
  if (!Array.isArray(value) || value.length < 3 || value.length > 4) return false
  if (value.length === 4 && typeof value[3] !== 'string') return false
  return typeof value[0] === 'string' && typeof value[1] === 'number'
}

function isReport(value: unknown): boolean {
  if (!isObject(value)) return false
  const { recorded, dropped, refused } = value
  return isCount(recorded) && isTally(dropped) && (refused === undefined || isTally(refused))
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && isCount(value[0]) && isCount(value[1]) && value[0] <= value[1]
}

function isTally(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isCount)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isSize(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}
