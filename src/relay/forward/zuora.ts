import { MetertapError } from '../../wire/errors.ts'
import type { MeterRoute, ZuoraOptions } from '../contract.ts'
import type { Delivery } from '../store/contract.ts'
import { classify, type Verdict } from './classify.ts'
import { type HttpDeps, post } from './http-call.ts'
import type { TokenResult, TokenSource } from './token-source.ts'

/** The usage endpoint. */
export interface Zuora {
  /** A token in advance: without one no delivery needs to be claimed. */
  ready(): Promise<TokenResult>
  /** One upstream call; after a 401 a second one with a new token. */
  send(url: string, delivery: Delivery): Promise<Verdict>
}

export interface ZuoraDeps extends HttpDeps {
  readonly options: ZuoraOptions
  readonly tokens: TokenSource
  readonly clock: () => number
}

export function createZuora({ options, tokens, clock, ...http }: ZuoraDeps): Zuora {
  const tenantHeaders = {
    ...(options.entityIds === undefined ? {} : { 'Zuora-Entity-Ids': options.entityIds }),
    ...(options.orgIds === undefined ? {} : { 'Zuora-Org-Ids': options.orgIds }),
  }

  async function sendWith(token: string, url: string, { id, body }: Delivery): Promise<Verdict> {
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Content-Encoding': 'gzip',
      'Accept-Encoding': 'gzip',
      'Zuora-Track-Id': id,
      ...tenantHeaders,
    }
    return classify(await post(url, { headers, body }, http), clock())
  }

  return {
    ready: () => tokens.get(),
    async send(url, delivery) {
      for (let isSecond = false; ; isSecond = true) {
        const got = await tokens.get()
        if (got.kind !== 'token') return got
        const verdict = await sendWith(got.token, url, delivery)
        if (verdict.kind !== 'unauthorized') return verdict
        tokens.discard(got.token)
        if (isSecond)
          return { kind: 'blocked', reason: `${verdict.reason} with a new token: check the client's rights` }
      }
    },
  }
}

/** Where the meter's events go: `{restBase}/usage/bulk/{meterGlobalId}`, or the route's own URL on the same origin. */
export function usageUrl({ meter, upstream }: MeterRoute, restBase: string): string {
  if (upstream.url === undefined) return `${restBase}/usage/bulk/${encodeURIComponent(upstream.meterGlobalId ?? '')}`
  if (new URL(upstream.url).origin === new URL(restBase).origin) return upstream.url
  const message = `The upload URL of meter "${meter.name}" is on another host than restBase: the token is for restBase only.`
  throw new MetertapError('bad_option', message, { meter: meter.name })
}
