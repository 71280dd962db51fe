import type { Timer } from './contract.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** No answer to rely on: the call is in doubt, unless there was no connection. `reason` is safe to log. */
export interface NoAnswer {
  readonly failure: 'timeout' | 'network' | 'unreachable' | 'stopped'
  readonly reason: string
}

export interface HttpDeps {
  readonly fetch: typeof globalThis.fetch
  readonly timer: Timer
  readonly timeoutMs: number
  /** Cuts off calls under way when the forwarder stops. */
  readonly stopped: AbortSignal
}

export interface HttpInit {
  /** Default POST. */
  readonly method?: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** How much of the answer is read. Default 64 KiB. */
  readonly maxAnswerBytes?: number
}

const MAX_ANSWER_BYTES = 64 * 1024
/** Errors of making a connection: nothing was sent. */
const UNREACHABLE = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'],
])

/** One call with its whole answer read, inside one time limit. Redirects are answers, not followed. */
export async function call(
  url: string,
  { method = 'POST', headers, body, maxAnswerBytes = MAX_ANSWER_BYTES }: HttpInit,
  { fetch, timer, timeoutMs, stopped }: HttpDeps,
): Promise<HttpAnswer | NoAnswer> {
  const abort = new AbortController()
  let hasTimedOut = false
  const cutOff = (): void => abort.abort()
  const cancel = timer(() => {
    hasTimedOut = true
    cutOff()
  }, timeoutMs)
  stopped.addEventListener('abort', cutOff)
  if (stopped.aborted) cutOff()
  try {
    const response = await fetch(url, {
      ...{ method, headers, redirect: 'manual', signal: abort.signal },
      ...(body === undefined ? {} : { body: body as BodyInit }),
    })
    return { status: response.status, headers: response.headers, body: await readText(response, maxAnswerBytes) }
  } catch (error) {
    if (stopped.aborted) return { failure: 'stopped', reason: 'the relay was stopped' }
    if (hasTimedOut) return { failure: 'timeout', reason: `no answer within ${timeoutMs} ms` }
    const code = errorCode(error)
    return { failure: UNREACHABLE.has(code) ? 'unreachable' : 'network', reason: `no answer: ${code}` }
  } finally {
    cancel()
    stopped.removeEventListener('abort', cutOff)
  }
}

/**
 * An answer that breaks off is an error where the text decides (2xx); elsewhere the status says enough.
 * Every body is read or cancelled: an open one would hold its connection.
 */
async function readText(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true })
      bytes += part.byteLength
      // Leaving the loop cancels the rest.
      if (bytes > maxBytes) break
    }
  } catch (error) {
    if (response.ok) throw error
  }
  return text
}

/** Codes such as ECONNREFUSED; messages may hold addresses and more, so they stay out. */
function errorCode(error: unknown): string {
  const codes = [(error as { cause?: { code?: unknown } })?.cause?.code, (error as { code?: unknown })?.code]
  return codes.find((code): code is string => typeof code === 'string') ?? 'network error'
}
