import { randomUUID } from 'node:crypto'
import type { Client } from './contract.ts'
import { type Answer, CODES, type ErrorWriter } from './error-bodies.ts'
import type { HeaderReader } from './headers.ts'
import type { Allowance } from './limits.ts'

export interface TokenRequest {
  readonly ip: string
  readonly header: HeaderReader
  readonly query: string
  readonly body: string
}

export interface TokenService {
  /** `POST /oauth/token`. */
  grant(request: TokenRequest): Answer
  /** The client behind a live bearer token, or undefined. */
  clientOf(authorization: string | undefined): Client | undefined
  revokeAll(): void
}

export interface TokenDeps {
  readonly clients: readonly Client[]
  readonly lifeS: number
  readonly now: () => number
  readonly writeError: ErrorWriter
  readonly meterer: { take(ip: string): Allowance }
  readonly onGrant: () => void
}

interface Grant {
  readonly client: Client
  readonly endsAtMs: number
}

export function createTokenService(deps: TokenDeps): TokenService {
  const grants = new Map<string, Grant>()
  const refuse = (status: number, message: string, headers: Record<string, string> = {}): Answer =>
    deps.writeError({ status, code: status === 429 ? CODES.rateLimit : CODES.auth, message, headers })
  return {
    grant(request) {
      const allowance = deps.meterer.take(request.ip)
      if (!allowance.allowed)
        return refuse(429, 'Too many token requests.', { 'retry-after': String(allowance.resetS) })
      const form = new URLSearchParams(request.body)
      const problem = requestProblem(request, form)
      if (problem) return refuse(400, problem)
      const client = findClient(deps.clients, form)
      if (!client) return refuse(401, 'Client id or client secret is wrong.')
      return issue(client)
    },
    clientOf(authorization) {
      const token = /^Bearer ([^ ]+)$/i.exec(authorization ?? '')?.[1]
      const grant = token === undefined ? undefined : grants.get(token)
      return grant && deps.now() < grant.endsAtMs ? grant.client : undefined
    },
    revokeAll: () => grants.clear(),
  }

  function issue(client: Client): Answer {
    const nowMs = deps.now()
    for (const [token, grant] of grants) if (grant.endsAtMs <= nowMs) grants.delete(token)
    const jti = randomUUID().replaceAll('-', '')
    grants.set(jti, { client, endsAtMs: nowMs + deps.lifeS * 1_000 })
    deps.onGrant()
    const body = { access_token: jti, token_type: 'bearer', expires_in: deps.lifeS, scope: 'platform.write', jti }
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
    return { status: 200, headers, text: JSON.stringify(body) }
  }
}

function requestProblem({ header, query }: TokenRequest, form: URLSearchParams): string | undefined {
  if (header('authorization') !== undefined) return 'A token request carries no Authorization header.'
  if (query !== '') return 'The parameters belong into the body.'
  const type = header('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return 'The body must be form-encoded.'
  for (const name of ['grant_type', 'client_id', 'client_secret']) {
    if (form.getAll(name).length !== 1) return `${name} must be there, once.`
  }
  return form.get('grant_type') === 'client_credentials' ? undefined : 'grant_type must be client_credentials.'
}

function findClient(clients: readonly Client[], form: URLSearchParams): Client | undefined {
  return clients.find(
    (client) => client.clientId === form.get('client_id') && client.clientSecret === form.get('client_secret'),
  )
}
