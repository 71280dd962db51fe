import { gunzipSync } from 'node:zlib'

export type Row = Record<string, unknown>

/** One call as the upstream saw it. */
export interface UpstreamCall {
  readonly url: string
  readonly headers: Headers
  readonly init: RequestInit
  readonly bytes: Uint8Array
  readonly rows: readonly Row[]
}

export interface FakeUpstream {
  readonly fetch: typeof globalThis.fetch
  /** Usage calls, in order. */
  readonly calls: UpstreamCall[]
  /** Bodies of token requests, in order. */
  readonly tokenRequests: { body: string; headers: Headers; url: string }[]
  /** Answers of calls to come, used up in order; then `usual` answers. A function may throw: the network failed. */
  readonly script: Answer[]
  usual: Answer
  token: () => Response | Promise<Response>
  /** Ids of all rows that were answered with success, in order, doubles included. */
  readonly accepted: string[]
}

export type Answer = (call: UpstreamCall) => Response | Promise<Response>

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })

export const ok: Answer = () => json(200, { success: true, message: 'received' })

/** Refuses a call with a row that `isBad`; takes the others. */
export function refuseIf(isBad: (row: Row) => boolean, status = 400): Answer {
  return (call) =>
    call.rows.some(isBad) ? json(status, { reasons: [{ code: 53100320, message: 'bad row' }] }) : ok(call)
}

export function createFakeUpstream(): FakeUpstream {
  let issued = 0
  const upstream: FakeUpstream = {
    calls: [],
    tokenRequests: [],
    script: [],
    accepted: [],
    usual: ok,
    token: () => json(200, { access_token: `token-${++issued}`, token_type: 'bearer', expires_in: 3_599 }),
    async fetch(input, init = {}) {
      const url = String(input)
      const headers = new Headers(init.headers)
      if (init.signal?.aborted) throw init.signal.reason
      if (url.endsWith('/oauth/token')) {
        upstream.tokenRequests.push({ url, headers, body: String(init.body) })
        return orAbort(upstream.token(), init.signal)
      }
      const bytes = new Uint8Array(init.body as Uint8Array)
      const call = { url, headers, init, bytes, rows: JSON.parse(gunzipSync(bytes).toString()) as Row[] }
      upstream.calls.push(call)
      const answer = await orAbort((upstream.script.shift() ?? upstream.usual)(call), init.signal)
      const text = answer.ok
        ? await answer
            .clone()
            .text()
            .catch(() => '')
        : ''
      if (text.includes('"success":true'))
        for (const row of call.rows) upstream.accepted.push(String(row.UsageIdentifier))
      return answer
    },
  }
  return upstream
}

/** Fails when the caller gives up, as fetch does. */
function orAbort(answer: Response | Promise<Response>, signal?: AbortSignal | null): Promise<Response> {
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason))
  })
  return Promise.race([answer, aborted])
}
