import type { IncomingHttpHeaders } from 'node:http'

/** A request as it came, its body inflated where Content-Encoding says so. */
export interface SinkRequest {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** One event found in a request: the bench's number, and the id by which the library's own back end would know it again. */
export interface Carried {
  readonly n: number
  readonly id: string
}

export interface SinkAnswer {
  readonly status?: number
  readonly type?: string
  readonly body: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** Understands one library's requests, and answers as its back end would. */
export interface Format {
  /** The bench's events in the request; undefined for a request that carries none by its nature (settings, flags …). */
  read(request: SinkRequest): readonly Carried[] | undefined
  answer(request: SinkRequest, events: readonly Carried[] | undefined): SinkAnswer | Promise<SinkAnswer>
}

/** What arrived. */
export interface Arrivals {
  /** Different events. */
  readonly delivered: number
  /** Events beyond the first with another id: no back end can tell that they are the same. */
  readonly doubled: number
  /** Events that came again under the same id: a back end that keeps ids throws them away. */
  readonly resent: number
  readonly requests: number
  /** Bodies on the wire, of requests with events. */
  readonly bytes: number
  /** When the last new event came, ms since 1970. */
  readonly lastMs: number
  /** When any request with events came last. */
  readonly lastRequestMs: number
  /** Requests that the format could not read, with the reason. */
  readonly unread: readonly string[]
}
