import { MetertapError } from '../../wire/errors.ts'
import type { MeterRoute, ZuoraOptions } from '../contract.ts'
import type { Delivery } from '../store/contract.ts'
import type { CallBudget } from './call-budget.ts'
import { classify, describe, parseBody, type Verdict } from './classify.ts'
import type { AskUpstream } from './contract.ts'
import { call, type HttpAnswer, type HttpDeps, type HttpInit, type NoAnswer } from './http-call.ts'
import type { TokenResult, TokenSource } from './token-source.ts'

/** A page of 500 audit entries, each with a row of 64 KiB at most. */
const MAX_ASKED_BYTES = 32 * 1024 * 1024

/** The upstream, behind its token. */
export interface Zuora {
  /** A token in advance: without one no delivery needs to be claimed. */
  ready(): Promise<TokenResult>
  /** One upstream call; after a 401 a second one with a new token. */
  send(url: string, delivery: Delivery): Promise<Verdict>
  readonly ask: AskUpstream
}

export interface ZuoraDeps extends HttpDeps {
  readonly options: ZuoraOptions
  readonly tokens: TokenSource
  readonly budget: Pick<CallBudget, 'spend' | 'hold'>
  readonly clock: () => number
  /** gzips a body as it is sent. Absent: it is gzip already. */
  readonly pack?: (body: Uint8Array) => Promise<Uint8Array>
}

export function createZuora({ options, tokens, budget, clock, pack, ...http }: ZuoraDeps): Zuora {
  const shared = {
    'Accept-Encoding': 'gzip',
    ...(options.entityIds === undefined ? {} : { 'Zuora-Entity-Ids': options.entityIds }),
    ...(options.orgIds === undefined ? {} : { 'Zuora-Org-Ids': options.orgIds }),
  }
  const restBase = options.restBase.replace(/\/+$/, '')

  /** Twice at most: a token may have ended early. */
  async function withToken(
    url: string,
    init: HttpInit,
  ): Promise<{ answer: HttpAnswer | NoAnswer } | { verdict: Exclude<TokenResult, { kind: 'token' }> }> {
    for (let isSecond = false; ; isSecond = true) {
      const got = await tokens.get()
      if (got.kind !== 'token') return { verdict: got }
      budget.spend()
      const headers = { ...init.headers, Authorization: `Bearer ${got.token}` }
      const answer = await call(url, { ...init, headers }, http)
      if ('failure' in answer || answer.status !== 401) return { answer }
      await tokens.discard(got.token)
      if (isSecond) return { verdict: { kind: 'blocked', reason: newTokenRefused(answer) } }
    }
  }

  return {
    ready: () => tokens.get(),
    async send(url, { id, body }) {
      const own = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', 'Zuora-Track-Id': id }
      const result = await withToken(url, { headers: { ...shared, ...own }, body: pack ? await pack(body) : body })
      if ('verdict' in result) return result.verdict
      const verdict = classify(result.answer, clock())
      // The limit is the tenant's: it holds for all lanes.
      if ('status' in result.answer && result.answer.status === 429 && 'afterMs' in verdict)
        budget.hold(verdict.afterMs)
      return verdict
    },
    async ask(path, init) {
      const headers = { ...shared, 'Content-Type': 'application/json' }
      const result = await withToken(`${restBase}${path}`, { ...init, headers, maxAnswerBytes: MAX_ASKED_BYTES })
      if ('verdict' in result) return { failure: result.verdict.reason }
      return 'failure' in result.answer ? { failure: result.answer.reason } : result.answer
    },
  }
}

function newTokenRefused({ status, body }: HttpAnswer): string {
  return `${describe(status, parseBody(body))} with a new token: check the client's rights`
}

/** Where the meter's events go: `{restBase}/usage/bulk/{meterGlobalId}`, or the route's own URL on the same origin. */
export function usageUrl({ meter, upstream }: MeterRoute, restBase: string): string {
  if (upstream.url === undefined) return `${restBase}/usage/bulk/${encodeURIComponent(upstream.meterGlobalId ?? '')}`
  if (new URL(upstream.url).origin === new URL(restBase).origin) return upstream.url
  const message = `The upload URL of meter "${meter.name}" is on another host than restBase: the token is for restBase only.`
  throw new MetertapError('bad_option', message, { meter: meter.name })
}
