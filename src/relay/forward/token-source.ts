import * as z from 'zod'
import type { CallSource } from '../store/contract.ts'
import { parseRetryAfter } from './backoff.ts'
import { describe, parseBody, type Verdict } from './classify.ts'
import { call, type HttpAnswer, type HttpDeps, type NoAnswer } from './http-call.ts'

/** A token, or why there is none now. */
export type TokenResult = { readonly kind: 'token'; readonly token: string } | Exclude<Verdict, { kind: 'accepted' }>

export interface TokenSource {
  /** The current token; a new one 300 s before its end. Callers that come while one is fetched share it. */
  get(): Promise<TokenResult>
  /** The upstream refused this token: the next get() fetches another. */
  discard(token: string): void | Promise<void>
}

export interface TokenSourceOptions extends HttpDeps {
  readonly restBase: string
  readonly clientId: string
  readonly clientSecret: string
  readonly clock: () => number
  /** Requests that many processes share, whose failures hold all of them back. Default: this process is alone. */
  readonly turns?: CallSource
}

interface Held {
  readonly token: string
  readonly endsAtMs: number
  refreshAtMs: number
}

const grant = z.object({
  // Anything else could not stand in a header.
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  expires_in: z.number().positive().catch(600),
})

const REFRESH_EARLY_MS = 300_000
/** While the old token still works, a failed refresh is not tried again at once. */
const REFRESH_AGAIN_MS = 30_000
const MAX_HOLD_MS = 30_000

const HELD_BACK = 'token request: none now, after one that failed or too many'

/** OAuth client credentials, as the upstream wants them: form-encoded, no Authorization header. */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { restBase, clientId, clientSecret, clock, turns } = options
  let failures = 0
  let held: Held | undefined
  let fetching: Promise<TokenResult> | undefined

  async function request(): Promise<TokenResult> {
    const turn = await turns?.take(1)
    if (turn?.calls === 0) {
      return keepHeld() ?? { kind: 'later', afterMs: turn.waitMs, reason: HELD_BACK, inDoubt: false }
    }
    const form = new URLSearchParams({
      ...{ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret },
    })
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' }
    const answer = await call(`${restBase}/oauth/token`, { headers, body: form.toString() }, options)
    const granted = 'failure' in answer || answer.status !== 200 ? undefined : parseGrant(answer.body)
    if (granted) {
      const lifeMs = granted.expires_in * 1_000
      const nowMs = clock()
      const refreshAtMs = nowMs + Math.max(lifeMs - REFRESH_EARLY_MS, lifeMs / 2)
      held = { token: granted.access_token, endsAtMs: nowMs + lifeMs, refreshAtMs }
      failures = 0
      return { kind: 'token', token: held.token }
    }
    return holdBack(noToken(answer, clock()))
  }

  /** The old token, while it still works. */
  function keepHeld(): TokenResult | undefined {
    if (held === undefined || clock() >= held.endsAtMs) return undefined
    held.refreshAtMs = clock() + REFRESH_AGAIN_MS
    return { kind: 'token', token: held.token }
  }

  /** Whatever comes next, of this process or another, waits: one asks for all. */
  async function holdBack(result: TokenResult): Promise<TokenResult> {
    if (turns === undefined || result.kind !== 'later') return keepHeld() ?? result
    const afterMs = Math.max(result.afterMs, Math.min(MAX_HOLD_MS, 1_000 * 2 ** failures++))
    // One that cannot be told holds nobody back; the next request finds out by itself.
    await turns.hold(afterMs).catch(() => {})
    return keepHeld() ?? { ...result, afterMs }
  }

  return {
    async get() {
      if (held && clock() < held.refreshAtMs) return { kind: 'token', token: held.token }
      fetching ??= request().finally(() => {
        fetching = undefined
      })
      return fetching
    },
    discard(token) {
      if (held?.token === token) held = undefined
    },
  }
}

function parseGrant(text: string): z.infer<typeof grant> | undefined {
  try {
    return grant.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function noToken(answer: HttpAnswer | NoAnswer, nowMs: number): TokenResult {
  if ('failure' in answer) {
    const reason = `token request: ${answer.reason}`
    // Whatever became of the token request, no event was sent.
    return answer.failure === 'stopped'
      ? { kind: 'stopped', reason }
      : { kind: 'later', afterMs: 0, reason, inDoubt: false }
  }
  const { status, headers } = answer
  const reason = `token request: ${describe(status, parseBody(answer.body))}`
  const isFinal = status >= 300 && status < 500 && status !== 408 && status !== 429
  if (isFinal) return { kind: 'blocked', reason: `${reason}: check restBase, clientId and clientSecret` }
  return { kind: 'later', afterMs: parseRetryAfter(headers.get('retry-after'), nowMs), reason, inDoubt: false }
}
