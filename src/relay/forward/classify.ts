import * as z from 'zod'
import { parseRetryAfter } from './backoff.ts'
import type { HttpAnswer, NoAnswer } from './http-call.ts'

/** What an answer means for the delivery. `reason` is safe to log; `detail` may quote events and goes to dead letters only. */
export type Verdict =
  | { readonly kind: 'accepted' }
  /** The same bytes again, not before afterMs. `inDoubt`: the upstream may have taken them this time. */
  | { readonly kind: 'later'; readonly afterMs: number; readonly reason: string; readonly inDoubt: boolean }
  | { readonly kind: 'too_large'; readonly reason: string }
  /** Never again unchanged. */
  | { readonly kind: 'refused'; readonly reason: string; readonly detail: string }
  | { readonly kind: 'unauthorized'; readonly reason: string }
  /** Configuration or rights: no delivery of the lane has a chance. */
  | { readonly kind: 'blocked'; readonly reason: string }
  | { readonly kind: 'stopped'; readonly reason: string }

const reasonCode = z.union([z.number(), z.string()])
const answerBody = z.object({
  success: z.boolean().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
  error_description: z.string().optional().catch(undefined),
  reasons: z
    .array(z.object({ code: reasonCode.optional().catch(undefined), message: z.string().optional().catch(undefined) }))
    .optional()
    .catch(undefined),
})
type AnswerBody = z.infer<typeof answerBody>

const RETRYABLE = new Set([408, 409, 425, 429])
const REFUSALS = new Set([400, 422])
/**
 * The last two digits of an eight-digit code are its category
 * (https://developer.zuora.com/docs/guides/error-codes): these speak of the caller's rights, and of the moment.
 */
const RIGHTS = new Set(['10', '11'])
const MOMENTARY = new Set(['50', '60', '61', '70'])

/** Reads an answer of the usage endpoint. Only a 2xx that says `success: true` is an acceptance. */
export function classify(answer: HttpAnswer | NoAnswer, nowMs: number): Verdict {
  if ('failure' in answer) {
    const { failure, reason } = answer
    if (failure === 'stopped') return { kind: 'stopped', reason }
    return { kind: 'later', afterMs: 0, reason, inDoubt: failure !== 'unreachable' }
  }
  const { status } = answer
  const body = parseBody(answer.body)
  const afterMs = parseRetryAfter(answer.headers.get('retry-after') ?? limitReset(answer), nowMs)
  const reason = describe(status, body)
  if (status >= 200 && status < 300) return classifySuccess(body, status, afterMs)
  if (status >= 500 || RETRYABLE.has(status)) return { kind: 'later', afterMs, reason, inDoubt: status !== 429 }
  if (REFUSALS.has(status)) return refusal(body, afterMs, reason)
  if (status === 401) return { kind: 'unauthorized', reason }
  if (status === 413) return { kind: 'too_large', reason }
  if (status < 400) {
    const advice = 'the upstream redirects, which is never followed with a token: check restBase'
    return { kind: 'blocked', reason: `${reason}: ${advice}` }
  }
  return { kind: 'blocked', reason }
}

/** A proxy or a captive portal answers 200 too; taking its page for an acceptance would lose the events. */
function classifySuccess(body: AnswerBody | undefined, status: number, afterMs: number): Verdict {
  if (body?.success === true) return { kind: 'accepted' }
  if (body?.success === false) return refusal(body, afterMs, describe(status, body))
  const reason = `HTTP ${status} without "success": not an answer of the usage endpoint`
  return { kind: 'later', afterMs, reason, inDoubt: true }
}

/** When a window of the rate limit is used up, its headers say how many seconds it still lasts. */
function limitReset({ status, headers }: HttpAnswer): string | null {
  return status === 429 ? headers.get('ratelimit-reset') : null
}

function refusal(body: AnswerBody | undefined, afterMs: number, reason: string): Verdict {
  const categories = codesOf(body).map((code) => (/^\d{8}$/.test(code) ? code.slice(-2) : ''))
  const isAll = (set: ReadonlySet<string>): boolean => categories.length > 0 && categories.every((c) => set.has(c))
  if (isAll(MOMENTARY)) return { kind: 'later', afterMs, reason, inDoubt: true }
  if (isAll(RIGHTS)) return { kind: 'blocked', reason }
  return { kind: 'refused', reason, detail: messageOf(body) || reason }
}

export function parseBody(text: string): AnswerBody | undefined {
  try {
    const parsed = answerBody.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Status and codes, without the messages: those may quote events. */
export function describe(status: number, body: AnswerBody | undefined): string {
  const codes = codesOf(body)
  return codes.length > 0 ? `HTTP ${status} (${codes.join(', ')})` : `HTTP ${status}`
}

function codesOf(body: AnswerBody | undefined): string[] {
  const codes = [...(body?.reasons ?? []).map(({ code }) => String(code ?? '')), body?.error ?? '']
  return [...new Set(codes)].filter((code) => /^[\w.-]{1,40}$/.test(code)).slice(0, 3)
}

function messageOf(body: AnswerBody | undefined): string {
  const messages = (body?.reasons ?? []).map(({ message }) => message)
  return [...messages, body?.message, body?.error_description].filter(Boolean).join(' ')
}
