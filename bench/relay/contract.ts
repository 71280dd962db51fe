/** Where a server under load listens. */
export interface Listening {
  readonly url: string
  readonly adminUrl?: string
}

/** What the load client is asked to do. */
export interface LoadOrder {
  readonly url: string
  /** One for each connection; each is a device with a stream of its own. */
  readonly tokens: readonly string[]
  readonly batches: number
  readonly batchEvents: number
  /** Requests a second, whether or not the last are answered; default: each connection sends when it has its answer. */
  readonly perSecond?: number
}

export interface LoadResult {
  readonly events: number
  readonly elapsedMs: number
  /** From sending (or from when it should have been sent) to the answer's end. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers other than 200, or that do not cover what was sent, with the first of them. */
  readonly failures: number
  readonly firstFailure?: string
}

export const GRANT_KEY_ID = 'bench'
/** For servers on the loopback that live for the length of a bench. */
export const GRANT_SECRET = 'a-secret-for-the-loopback-and-the-length-of-a-bench'
export const ADMIN_KEY = 'an-admin-key-for-the-loopback-and-the-length-of-a-bench'
export const PUBLIC_URL = 'http://127.0.0.1'
export const UPSTREAM_CLIENT = { clientId: 'bench', clientSecret: 'bench-client-secret' }
export const UPSTREAM_METER = 'bench-web-requests'
