import { inflateBody, type WireBody } from './body.ts'
import type { MeterBook } from './book.ts'
import type { Client, Limits, Row } from './contract.ts'
import { type Answer, CODES, type ErrorWriter, type Problem, successAnswer } from './error-bodies.ts'
import type { FaultEngine, Place } from './faults.ts'
import { type HeaderReader, headerProblem, type TenantHeaders } from './headers.ts'
import { type BodyProblem, checkRows, parseBody, type RowProblem } from './ingest.ts'
import type { WritableLedger } from './ledger.ts'
import type { Meterer } from './limits.ts'
import { storeRows } from './store-rows.ts'

/** How many bad rows an answer names. */
const MAX_SHOWN = 50

/** One `POST /usage/bulk/{meterGlobalId}` with its body read. */
export interface UsageCall {
  readonly meterId: string
  readonly header: HeaderReader
  readonly body: WireBody
}

export interface UsageDeps {
  readonly clientOf: (authorization: string | undefined) => Client | undefined
  readonly meterer: Meterer
  readonly limits: Limits
  readonly tenant: TenantHeaders
  readonly partial: 'all-or-nothing' | 'partial'
  readonly faults: FaultEngine
  readonly ledger: WritableLedger
  readonly writeError: ErrorWriter
  readonly now: () => number
}

/** What processing made of the call, for its record. */
export interface Outcome {
  readonly answer: Answer
  readonly bodyBytes: number
  readonly rows: number
  readonly billed: number
}

class Refusal extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

/** Checks one call, stores what is to be stored, and gives the answer that Zuora would give. */
export async function processUsage(call: UsageCall, deps: UsageDeps): Promise<Outcome> {
  const seen = { bodyBytes: 0, rows: 0, billed: 0 }
  try {
    const book = admit(call, deps)
    const rows = await readRows(call, deps, seen)
    const { problems, code } = findBadRows(rows, book, deps.faults)
    const isRefused = problems.length > 0 && (book.meter.schemaErrors ?? 'refuse') === 'refuse'
    if (!isRefused || deps.partial === 'partial') {
      const bad = new Set(problems.map(({ index }) => index))
      const accepted = [...rows.keys()].filter((index) => !bad.has(index))
      const stamp = { atMs: deps.now(), trackId: call.header('zuora-track-id') }
      const bytes = call.body.bytes ?? Buffer.alloc(0)
      const isGzip = call.header('content-encoding') === 'gzip'
      const failed = isRefused ? [] : problems
      seen.billed = storeRows({ ...stamp, rows, accepted, failed, code, bytes, isGzip }, book, deps.ledger)
    }
    if (isRefused) {
      book.noteRefused(problems.length)
      throw new Refusal({ status: 400, code, message: summarize(problems) })
    }
    return { ...seen, answer: successAnswer(true, `${rows.length} events received.`) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { ...seen, answer: deps.writeError(error.problem) }
  }
}

/** Everything that is decided without the body. */
function admit({ meterId, header }: UsageCall, deps: UsageDeps): MeterBook {
  const client = deps.clientOf(header('authorization'))
  if (!client) throw new Refusal({ status: 401, code: CODES.auth, message: 'The access token is not valid.' })
  if (client.runMeters === false) {
    throw new Refusal({ status: 403, code: CODES.auth, message: 'The user lacks the permission to run meters.' })
  }
  takeAllowance(deps.meterer)
  const book = deps.ledger.book(meterId)
  if (!book || book.meter.streaming === false) {
    throw new Refusal({
      status: 404,
      code: CODES.notFound,
      message: 'No meter with a Streaming API source has this id.',
    })
  }
  const problem = headerProblem(header, deps.tenant)
  if (problem) throw new Refusal({ status: 400, code: CODES.request, message: problem })
  return book
}

function takeAllowance(meterer: Meterer): void {
  const { allowed, limit, remaining, resetS } = meterer.take()
  if (allowed) return
  const headers = {
    'retry-after': String(resetS),
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetS),
  }
  throw new Refusal({ status: 429, code: CODES.rateLimit, message: 'The limit of calls is reached.', headers })
}

async function readRows(
  { meterId, header, body }: UsageCall,
  { limits, faults }: UsageDeps,
  seen: { bodyBytes: number; rows: number },
): Promise<readonly Row[]> {
  if (!body.bytes) throw refusalOf({ status: 413, message: `The payload is more than ${limits.payloadBytes} bytes.` })
  const bytes = await inflateBody(body.bytes, header('content-encoding'), limits.payloadBytes)
  if (!Buffer.isBuffer(bytes)) throw refusalOf(bytes)
  seen.bodyBytes = bytes.byteLength
  const parsed = parseBody(bytes, limits.rows)
  if ('status' in parsed) throw refusalOf(parsed)
  seen.rows = parsed.rows.length
  refuseTooLarge(faults, { on: 'usage', meter: meterId }, seen)
  return parsed.rows
}

function refusalOf({ status, message }: BodyProblem): Refusal {
  return new Refusal({ status, code: status === 413 ? CODES.tooLarge : CODES.request, message })
}

function refuseTooLarge(faults: FaultEngine, place: Place, seen: { bodyBytes: number; rows: number }): void {
  for (const { fault, spend } of faults.armed(place, 'too-large')) {
    const { maxBytes = Number.POSITIVE_INFINITY, maxRows = Number.POSITIVE_INFINITY } = fault
    if (seen.bodyBytes <= maxBytes && seen.rows <= maxRows) continue
    spend()
    throw refusalOf({ status: 413, message: 'The payload is too large.' })
  }
}

/** Rows that break the definition, and rows that a fault refuses. One code stands for all, as one answer does. */
function findBadRows(
  rows: readonly Row[],
  { meter }: MeterBook,
  faults: FaultEngine,
): { problems: readonly RowProblem[]; code: number } {
  const problems = new Map(checkRows(rows, meter).map((problem) => [problem.index, problem]))
  const code = problems.size > 0 ? CODES.schema : CODES.business
  for (const { fault, spend } of faults.armed({ on: 'usage', meter: meter.id }, 'refuse-rows')) {
    const { field, equals } = fault.where
    const hit = [...rows.keys()].filter((index) => rows[index]?.[field] === equals)
    if (hit.length > 0) spend()
    for (const index of hit)
      if (!problems.has(index)) problems.set(index, { index, message: `${field} is not allowed.` })
  }
  return { problems: [...problems.values()], code }
}

function summarize(problems: readonly RowProblem[]): string {
  const shown = problems.slice(0, MAX_SHOWN).map(({ index, message }) => `[${index}] ${message}`)
  return `${problems.length} events are not valid: ${shown.join(' ')}`
}
