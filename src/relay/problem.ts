import type { Problem } from '../wire/contract.ts'

export type ProblemCode =
  | 'not_json'
  | 'not_gzip'
  | 'invalid_request'
  | 'invalid_batch'
  | 'unsupported_version'
  | 'unauthorized'
  | 'token_expired'
  | 'token_revoked'
  | 'wrong_audience'
  | 'wrong_issuer'
  | 'invalid_grant'
  | 'grant_expired'
  | 'grant_used'
  | 'invalid_session'
  | 'session_expired'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'body_timeout'
  | 'conflict'
  | 'body_too_large'
  | 'inflated_too_large'
  | 'ratio_too_high'
  | 'too_complex'
  | 'too_many_events'
  | 'unsupported_encoding'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'internal'
  | 'overloaded'
  | 'unavailable'

/** Every refusal of a whole request: its status and title. */
export const PROBLEMS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  not_json: [400, 'The body is not JSON'],
  not_gzip: [400, 'The body is not gzip'],
  invalid_request: [400, 'The request does not fit'],
  invalid_batch: [400, 'The batch does not fit the wire format'],
  unsupported_version: [400, 'The wire version is not supported'],
  unauthorized: [401, 'The token is not accepted'],
  token_expired: [401, 'The token has expired'],
  token_revoked: [401, 'The token was revoked'],
  wrong_audience: [401, 'The token is for another relay'],
  wrong_issuer: [401, 'The token is from another issuer'],
  invalid_grant: [401, 'The grant is not accepted'],
  grant_expired: [401, 'The grant has expired'],
  grant_used: [401, 'The grant was used before'],
  invalid_session: [401, 'The session is not accepted'],
  session_expired: [401, 'The session has expired'],
  forbidden: [403, 'This is not allowed'],
  not_found: [404, 'There is nothing here'],
  method_not_allowed: [405, 'The method is not allowed here'],
  body_timeout: [408, 'The body came too slowly'],
  conflict: [409, 'It cannot be done in this state'],
  body_too_large: [413, 'The body is too large'],
  inflated_too_large: [413, 'The inflated body is too large'],
  ratio_too_high: [413, 'The body is compressed too much'],
  too_complex: [413, 'The body has too many values'],
  too_many_events: [413, 'The batch has too many entries'],
  unsupported_encoding: [415, 'The content encoding is not supported'],
  unsupported_media_type: [415, 'The content type is not supported'],
  rate_limited: [429, 'Too many requests'],
  internal: [500, 'The relay failed'],
  overloaded: [503, 'The relay has too much to do'],
  unavailable: [503, 'The relay cannot take this now'],
}

/**
 * Refuses a whole request. `detail` says what to do; it never holds a token, a secret or event data.
 *
 * @example throw new HttpProblem('unavailable', 'The store cannot write now: send the same batch again.', { 'Retry-After': '5' })
 */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem'
  readonly code: ProblemCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.code = code
    this.status = PROBLEMS[code][0]
    this.headers = headers
  }
}

/** The problem as an RFC 9457 answer. A 401 names the scheme, as RFC 6750 asks. */
export function problemResponse(problem: HttpProblem): Response {
  const body: Problem = {
    type: `urn:metertap:problem:${problem.code}`,
    title: PROBLEMS[problem.code][1],
    status: problem.status,
    detail: problem.message,
    code: problem.code,
  }
  const headers = new Headers({ 'Content-Type': 'application/problem+json', ...problem.headers })
  if (problem.status === 401) headers.set('WWW-Authenticate', `Bearer error="${problem.code}"`)
  return new Response(JSON.stringify(body), { status: problem.status, headers })
}

/** The relay cannot do it now, and nothing was acknowledged: the client keeps its events and comes back. */
export function unavailable(detail: string, retryAfterS = 5): HttpProblem {
  return new HttpProblem('unavailable', detail, { 'Retry-After': String(retryAfterS) })
}

export function stopping(): HttpProblem {
  return unavailable('The relay is stopping: send the same request again in a moment.', 1)
}
