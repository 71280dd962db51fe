import type { KyInstance } from 'ky'
import type { Gzip } from '../wire/gzip.ts'
import { classify } from './classify.ts'
import type { Outcome, TokenSource } from './contract.ts'

export interface SendOptions {
  readonly http: KyInstance
  readonly url: string
  readonly tokens: TokenSource
  readonly now: () => number
  readonly gzip: Gzip | undefined
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Longest wait for one answer, its body included, ms. */
  readonly timeoutMs: number
  /** Aborts what is under way when the agent closes. */
  readonly signal: AbortSignal
}

async function post(options: SendOptions, body: string | Uint8Array<ArrayBuffer>, token: string): Promise<Outcome> {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  if (typeof body !== 'string') headers['content-encoding'] = 'gzip'
  // Not ky's timeout: that one ends with the headers, and a body that stalls would stop the one loop that sends.
  const slow = new AbortController()
  const inTime = options.setTimer(() => slow.abort(new DOMException('Too slow', 'TimeoutError')), options.timeoutMs)
  const signal = AbortSignal.any([options.signal, slow.signal])
  try {
    // A redirect would carry the token elsewhere: it is not followed, and counts as a refusal.
    const response = await options.http.post(options.url, { body, headers, redirect: 'manual', signal })
    const status = response.type === 'opaqueredirect' ? 302 : response.status
    const retryAfter = response.headers.get('retry-after')
    return classify({ status, retryAfter, body: await response.text() }, options.now())
  } catch (error) {
    const detail = `No answer from the relay (${(error as Error).name}). Check the network, the relay's address and its allowed origins.`
    return { kind: 'later', delayMs: 0, code: 'relay_unreachable', detail }
  } finally {
    inTime()
  }
}

/** Posts with a token; one that the relay refuses is forgotten. `isRefused`: there was one, and it was. */
async function postWithToken(
  options: SendOptions,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<{ outcome: Outcome; isRefused: boolean }> {
  const { tokens } = options
  let token: string
  try {
    token = await tokens.get()
  } catch (error) {
    return { outcome: { kind: 'unauthorized', detail: (error as Error).message }, isRefused: false }
  }
  const outcome = await post(options, body, token)
  const isRefused = outcome.kind === 'unauthorized'
  if (isRefused) tokens.invalidate(token)
  return { outcome, isRefused }
}

/** Compressed where the platform's compressor is there and sound; else as it is. */
async function pack(gzip: Gzip | undefined, text: string): Promise<string | Uint8Array<ArrayBuffer>> {
  try {
    return gzip ? await gzip(text) : text
  } catch {
    return text
  }
}

/** What a relay says when it cannot unpack a body. */
const NOT_UNPACKED = new Set(['not_gzip', 'unsupported_encoding'])

/**
 * Posts one batch, compressed where the runtime can. A refused token is renewed and the same bytes sent once more; what
 * the relay cannot unpack is sent again as it is.
 */
export async function send(options: SendOptions, text: string): Promise<Outcome> {
  const body = await pack(options.gzip, text)
  const outcome = await postAgain(options, body)
  const isUnpacked = outcome.kind !== 'refused' || !NOT_UNPACKED.has(outcome.code)
  return isUnpacked || body === text ? outcome : postAgain(options, text)
}

async function postAgain(options: SendOptions, body: string | Uint8Array<ArrayBuffer>): Promise<Outcome> {
  const first = await postWithToken(options, body)
  return first.isRefused ? (await postWithToken(options, body)).outcome : first.outcome
}
