import * as z from 'zod'
import type { AskUpstream } from '../forward/contract.ts'

/** One row that the upstream took and did not bill. */
export interface AuditEntry {
  /** Names this entry, also when it is read again. */
  readonly mark: string
  readonly isDuplicate: boolean
  readonly operatorId: string | undefined
  readonly atMs: number | undefined
  readonly code: string
  readonly message: string
  readonly row: Record<string, unknown> | undefined
}

export interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

const text = z.union([z.string(), z.number()]).transform(String).optional().catch(undefined)
const entry = z.object({
  errorTime: text,
  errorCode: text,
  errorMessage: text,
  payload: z.unknown(),
  eventId: text,
  traceId: text,
  operatorType: text,
  operatorName: text,
  operatorId: text,
})
const page = z.object({ success: z.literal(true), data: z.array(entry), nextPage: z.string().nullish() })

const PAGE_SIZE = 500
/** Five million entries: a cursor that goes round in circles ends here at the latest. */
export const MAX_PAGES = 10_000
const DUPLICATE = /dedup|duplicate/i

export interface EntryPage {
  readonly entries: readonly AuditEntry[]
  /** Where the next page begins; absent behind the last one. */
  readonly next?: string
}

/**
 * Reads the failed rows of a span, page by page, from its beginning or from where an earlier page ended. Throws
 * UpstreamProblem when the upstream does not give them.
 */
export async function* readEntries(
  ask: AskUpstream,
  meterId: string,
  span: Span & { readonly cursor?: string | undefined },
): AsyncGenerator<EntryPage> {
  const query = {
    ...{ exportType: 'ERROR', runType: 'NORMAL', pageSize: String(PAGE_SIZE) },
    ...{ queryFromTime: toIso(span.fromMs, 'floor'), queryToTime: toIso(span.untilMs, 'ceil') },
  }
  let { cursor } = span
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const params = new URLSearchParams(cursor === undefined ? query : { ...query, cursor })
    const path = `/meters/${encodeURIComponent(meterId)}/auditTrail/entries?${params}`
    const { data, nextPage } = await askJson(ask, path, { method: 'GET' }, page)
    const entries = await Promise.all(data.map(toEntry))
    if (nextPage === null || nextPage === undefined) return yield { entries }
    if (nextPage === cursor) {
      yield { entries }
      break
    }
    yield { entries, next: nextPage }
    cursor = nextPage
  }
  throw new UpstreamProblem('the pages of its audit trail do not end')
}

async function toEntry({ payload, ...found }: z.infer<typeof entry>): Promise<AuditEntry> {
  const { errorTime, errorCode = 'unknown', errorMessage = '', eventId, traceId } = found
  const { operatorType, operatorName, operatorId } = found
  const row = toRow(payload)
  // The upstream's own ids, if it gives them; the row itself otherwise.
  const parts = [errorTime, errorCode, eventId, traceId, ...(eventId || traceId ? [] : [JSON.stringify(row)])]
  return {
    mark: await sha256(JSON.stringify(parts)),
    isDuplicate: [operatorType, operatorName, operatorId, errorCode].some((part) => DUPLICATE.test(part ?? '')),
    operatorId,
    atMs: toMs(errorTime),
    code: errorCode.slice(0, 100),
    message: errorMessage,
    row,
  }
}

async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** An object, or JSON text of one. */
function toRow(payload: unknown): Record<string, unknown> | undefined {
  try {
    const value: unknown = typeof payload === 'string' ? JSON.parse(payload) : payload
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Milliseconds as digits, or an ISO time. */
function toMs(time: string | undefined): number | undefined {
  const ms = /^\d+$/.test(time ?? '') ? Number(time) : Date.parse(time ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

export function toIso(ms: number, round: 'floor' | 'ceil'): string {
  return new Date(Math[round](ms / 1_000) * 1_000).toISOString().replace('.000Z', 'Z')
}

/** The upstream did not answer a question as it should. The message holds no event data. */
export class UpstreamProblem extends Error {}

export async function askJson<T>(
  ask: AskUpstream,
  path: string,
  init: Parameters<AskUpstream>[1],
  schema: z.ZodType<T>,
): Promise<T> {
  const answer = await ask(path, init)
  if ('failure' in answer) throw new UpstreamProblem(answer.failure)
  if (answer.status !== 200) throw new UpstreamProblem(`HTTP ${answer.status}`)
  const parsed = schema.safeParse(parseJson(answer.body))
  if (parsed.success) return parsed.data
  throw new UpstreamProblem('an answer that is not as documented')
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
