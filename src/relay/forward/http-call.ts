import type { Timer } from './contract.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  /** At most 64 KiB of it. */
  readonly body: string
}

/** No answer to rely on: the call is in doubt. `reason` is safe to log. */
export interface NoAnswer {
  readonly failure: 'timeout' | 'network' | 'stopped'
  readonly reason: string
}

export interface HttpDeps {
  readonly fetch: typeof globalThis.fetch
  readonly timer: Timer
  readonly timeoutMs: number
  /** Cuts off calls under way when the forwarder stops. */
  readonly stopped: AbortSignal
}

const MAX_ANSWER_BYTES = 64 * 1024

/** One POST with its whole answer read, inside one time limit. Redirects are answers, not followed. */
export async function post(
  url: string,
  init: { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array | string },
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
      ...{ method: 'POST', headers: init.headers, body: init.body as BodyInit },
      ...{ redirect: 'manual', signal: abort.signal },
    })
    return { status: response.status, headers: response.headers, body: await readText(response) }
  } catch (error) {
    if (stopped.aborted) return { failure: 'stopped', reason: 'the relay was stopped' }
    if (hasTimedOut) return { failure: 'timeout', reason: `no answer within ${timeoutMs} ms` }
    return { failure: 'network', reason: `no answer: ${errorCode(error)}` }
  } finally {
    cancel()
    stopped.removeEventListener('abort', cutOff)
  }
}

/**
 * An answer that breaks off is an error where the text decides (2xx); elsewhere the status says enough.
 * Every body is read or cancelled: an open one would hold its connection.
 */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true })
      bytes += part.byteLength
      // Leaving the loop cancels the rest.
      if (bytes > MAX_ANSWER_BYTES) break
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
