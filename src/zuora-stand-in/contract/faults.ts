/** The body of an error answer. 'html' is a proxy's page, 'empty' has no body at all. */
export type ErrorShape = 'reasons' | 'processId' | 'oauth' | 'message' | 'html' | 'empty'

/** Which calls a fault hits, and how often. */
export interface FaultScope {
  /** Default 'usage'. */
  readonly on?: 'usage' | 'token'
  /** Only calls to this meter. */
  readonly meter?: string
  /** How many calls it hits. Default: every call until cleared. */
  readonly times?: number
  /** Lets this many calls pass first. Default 0. */
  readonly skip?: number
  /** 0 … 1, drawn from the stand-in's seed. Default 1. */
  readonly probability?: number
}

export type FaultKind =
  /** The socket is destroyed before the body is read. */
  | { readonly kind: 'connection-refused' }
  /** Waits: before the call is processed (a retry can overtake it) or after, before its answer. Default 'before'. */
  | { readonly kind: 'slow'; readonly delayMs: number; readonly when?: 'before' | 'after' }
  /** Answers an error; `stored` processes the call first, as a crash after the commit does. */
  | { readonly kind: 'status'; readonly status: number; readonly body?: ErrorShape; readonly stored?: boolean }
  /** 429. A number is seconds (as an HTTP date with `asDate`), text goes out as it is, nothing sends no header. */
  | {
      readonly kind: 'rate-limit'
      readonly retryAfter?: number | string
      readonly asDate?: boolean
      readonly body?: ErrorShape
    }
  /** 401, and all tokens end unless `revoke` is false. */
  | { readonly kind: 'unauthorized'; readonly revoke?: boolean; readonly body?: ErrorShape }
  /** Default status 307. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** 200 with `success: false`. `stored` processes the call first. Default: not stored. */
  | { readonly kind: 'success-false'; readonly stored?: boolean }
  /** Processes the call, then destroys the socket: before any answer, or in the middle of its body. Default 'all'. */
  | { readonly kind: 'answer-lost'; readonly cut?: 'all' | 'body' }
  /** 413 for a call above either figure (bytes after inflation). */
  | { readonly kind: 'too-large'; readonly maxBytes?: number; readonly maxRows?: number }
  /** Rows with this value are refused, as a business rule would. */
  | {
      readonly kind: 'refuse-rows'
      readonly where: { readonly field: string; readonly equals: string | number | boolean }
    }

/**
 * A rule of misbehaviour. Of several rules that fit, 'slow' adds to the others and the first of the rest wins.
 * @example { kind: 'status', status: 503, times: 3, body: 'html' }
 */
export type Fault = FaultKind & FaultScope

/** A rule in force: calls it has hit, and calls it still will (absent: no end). */
export interface ActiveFault {
  readonly fault: Fault
  readonly hits: number
  readonly left?: number
}

/** The fault switch. */
export interface FaultSwitch {
  /** Replaces all rules. */
  set(faults: readonly Fault[]): void
  add(...faults: readonly Fault[]): void
  clear(): void
  list(): ActiveFault[]
}
