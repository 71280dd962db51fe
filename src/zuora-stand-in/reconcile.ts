import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { MeterBook, Tally } from './book.ts'
import type { AuditEntry, Row } from './contract.ts'
import { type Answer, CODES, type ErrorWriter } from './error-bodies.ts'

const SESSION_ID = 'R-00000001'
const MAX_PAGE = 500

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'no ISO 8601 time')
const runType = z.enum(['NORMAL', 'DEBUG'])
const summaryQuery = z.object({
  runType,
  groupBy: z.array(z.enum(['errorCode', 'operatorId', 'processorId', 'sessionId'])).default(['sessionId']),
  sessionIds: z.array(z.string()).nullish(),
  operatorIds: z.array(z.string()).nullish(),
  queryFromTime: time.nullish(),
  queryToTime: time.nullish(),
})
const entriesQuery = z.object({
  exportType: z.enum(['SAMPLE', 'ERROR']),
  runType,
  queryFromTime: time,
  queryToTime: time,
  sessionId: z.string().optional(),
  operatorId: z.string().optional(),
  pageSize: z.coerce.number().int().min(1).max(MAX_PAGE).default(30),
  cursor: z.coerce.number().int().nonnegative().default(0),
})

/** `POST /meters/{meterId}/summary`: output and error counts by operator, error code or session. */
export function summarizeMeter(book: MeterBook, body: unknown, nowMs: number, writeError: ErrorWriter): Answer {
  const query = summaryQuery.safeParse(body)
  if (!query.success) return badQuery(query.error, writeError)
  const { groupBy, operatorIds, sessionIds, queryFromTime, queryToTime } = query.data
  const isWithin = timeFilter(queryFromTime, queryToTime)
  const isHere = query.data.runType === 'NORMAL' && (sessionIds?.includes(SESSION_ID) ?? true)
  const tallies = book.tallies.filter(
    (tally) => isHere && isWithin(tally.atMs) && (operatorIds?.includes(tally.operator) ?? true),
  )
  const data = {
    requestId: randomUUID(),
    requestTime: new Date(nowMs).toISOString(),
    query: query.data,
    output: groupTallies(tallies, groupBy),
  }
  return ok({ success: true, data, previousPage: null, nextPage: null })
}

function groupTallies(tallies: readonly Tally[], groupBy: readonly string[]): object[] {
  const groups = new Map<string, { dimensions: object; output: number; totalErrorCount: number }>()
  for (const { operator, code, output, errors } of tallies) {
    const all: Record<string, string> = {
      errorCode: code,
      operatorId: operator,
      processorId: operator,
      sessionId: SESSION_ID,
    }
    const dimensions = Object.fromEntries(groupBy.map((name) => [name, all[name]]))
    const key = JSON.stringify(dimensions)
    const group = groups.get(key) ?? { dimensions, output: 0, totalErrorCount: 0 }
    groups.set(key, { dimensions, output: group.output + output, totalErrorCount: group.totalErrorCount + errors })
  }
  return [...groups.values()]
}

/** `GET /meters/{meterId}/auditTrail/entries`: failed rows (ERROR) or billable ones (SAMPLE), page by page. */
export function listEntries(
  book: MeterBook,
  audit: readonly AuditEntry[],
  params: Readonly<Record<string, string>>,
  writeError: ErrorWriter,
): Answer {
  const query = entriesQuery.safeParse(params)
  if (!query.success) return badQuery(query.error, writeError)
  const { exportType, operatorId, sessionId, cursor, pageSize, queryFromTime, queryToTime } = query.data
  const isWithin = timeFilter(queryFromTime, queryToTime)
  const isHere = query.data.runType === 'NORMAL' && (sessionId ?? SESSION_ID) === SESSION_ID
  const entries =
    exportType === 'ERROR'
      ? audit.filter((entry) => isWithin(entry.atMs) && (operatorId ?? entry.operator) === entry.operator).map(toEntry)
      : samples(book, isWithin, cursor + pageSize + 1)
  const found = isHere ? entries : []
  const data = found.slice(cursor, cursor + pageSize)
  const nextPage = cursor + pageSize < found.length ? String(cursor + pageSize) : null
  const previousPage = cursor > 0 ? String(Math.max(0, cursor - pageSize)) : null
  return ok({ success: true, data, previousPage, nextPage })
}

function toEntry({ atMs, code, message, payload, eventId, traceId, operator }: AuditEntry): object {
  return {
    errorTime: String(atMs),
    errorCode: code,
    errorMessage: message,
    payload,
    eventId,
    traceId,
    operatorType: operator.toUpperCase(),
    operatorName: operator,
    operatorId: operator,
  }
}

function samples(book: MeterBook, isWithin: (atMs: number) => boolean, max: number): object[] {
  const found: object[] = []
  for (const row of book.events(isWithin)) {
    found.push(toSample(row))
    if (found.length === max) break
  }
  return found
}

function toSample(payload: Row): object {
  return {
    errorCode: '',
    errorMessage: '',
    payload,
    operatorType: 'SOURCE',
    operatorName: 'source',
    operatorId: 'source',
  }
}

/** Both ends included. */
function timeFilter(from: string | null | undefined, to: string | null | undefined): (atMs: number) => boolean {
  const fromMs = from ? Date.parse(from) : Number.NEGATIVE_INFINITY
  const toMs = to ? Date.parse(to) : Number.POSITIVE_INFINITY
  return (atMs) => atMs >= fromMs && atMs <= toMs
}

function badQuery(error: z.ZodError, writeError: ErrorWriter): Answer {
  return writeError({ status: 400, code: CODES.request, message: z.prettifyError(error) })
}

function ok(value: object): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, text: JSON.stringify(value) }
}
