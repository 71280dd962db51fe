import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type { AcceptBatch } from '../accept/accept-batch.ts'
import { parseBatch } from '../accept/parse-batch.ts'
import { parseJson } from '../accept/parse-json.ts'
import type { Claims, Owner } from '../claims.ts'
import type { RelayLimits } from '../contract.ts'
import { createPlaces, type Shares } from '../limits/budget.ts'
import type { Pressure } from '../limits/pressure.ts'
import type { RateHeaders, RateLimits } from '../limits/rate-limits.ts'
import type { Instruments } from '../operate/instruments.ts'
import { HttpProblem, stopping } from '../problem.ts'
import type { AccessTokens } from '../tokens/access-token.ts'
import type { VerifyGrant } from '../tokens/verify-grant.ts'
import type { VerifySession } from '../tokens/verify-session.ts'
import type { RelayEnv } from './env.ts'
import type { Inflate } from './inflate.ts'
import { type Body, type BodyCaps, withBody } from './read-body.ts'
import { bearer } from './read-token.ts'
import { requireType } from './require-type.ts'
import { tokenRequest } from './token-request.ts'

export interface AgentRoutesDeps {
  readonly origins: readonly string[]
  readonly limits: RelayLimits
  readonly rates: RateLimits
  readonly pressure: Pick<Pressure, 'check'>
  /** Memory for bodies: of accounts that have shown a good token, and of addresses that have not. */
  readonly openBytes: { readonly known: Shares; readonly unknown: Shares }
  readonly inflate: Inflate
  readonly tokens: AccessTokens
  readonly verifyGrant: VerifyGrant
  readonly verifySession: VerifySession
  readonly acceptBatch: AcceptBatch
  readonly instruments: Pick<Instruments, 'body' | 'issued'>
  /** True while the relay drains: it takes nothing new. */
  readonly isStopping: () => boolean
}

const MAX_PROOF_BYTES = 16 * 2 ** 10
/** A browser lets 64 KiB of keepalive bodies be in flight; nothing longer can be an exit batch. */
const MAX_EXIT_BYTES = 64 * 2 ** 10
/** Chromium keeps a preflight for two hours at most, Firefox for a day. */
const PREFLIGHT_LIFE_S = 86_400

/** What agents call: POST /v1/token, /v1/events and /v1/exit, from the configured origins. */
export function createAgentRoutes(deps: AgentRoutesDeps): Hono<RelayEnv> {
  const { limits, rates, pressure, openBytes, inflate, tokens, acceptBatch, instruments } = deps
  const places = createPlaces(limits.maxOpenPerDevice)
  const routes = new Hono<RelayEnv>()
  const allowOrigins = cors({
    origin: [...deps.origins],
    allowMethods: ['POST'],
    allowHeaders: ['Authorization', 'Content-Type', 'Content-Encoding'],
    exposeHeaders: ['Retry-After', 'RateLimit', 'RateLimit-Policy'],
    maxAge: PREFLIGHT_LIFE_S,
  })
  for (const path of ['/v1/token', '/v1/events', '/v1/exit']) {
    routes.use(path, allowOrigins, async (c, next) => {
      if (deps.isStopping()) throw stopping()
      const address = c.env?.address
      const headers = address === undefined ? {} : rates.address(address)
      await next()
      // A narrower limit tells more, above all when it is the one that refuses.
      if (!c.res.headers.has('RateLimit')) setHeaders(c, headers)
    })
  }

  /** A small body from whoever: the proof of a user, or an exit batch with its token inside. */
  const smallCaps = (maxBytes: number, address = ''): BodyCaps => ({
    maxWireBytes: Math.min(maxBytes, limits.maxWireBytes),
    maxBodyBytes: Math.min(maxBytes, limits.maxBodyBytes),
    maxInflateRatio: limits.maxInflateRatio,
    timeoutMs: limits.bodyTimeoutMs,
    open: openBytes.unknown.of(address),
    inflate,
  })
  const readJson = <T>(c: Context<RelayEnv>, caps: BodyCaps, use: (json: unknown) => Promise<T>): Promise<T> => {
    const parse = ({ bytes, wireBytes }: Body): Promise<T> => {
      instruments.body(wireBytes, bytes.byteLength)
      return use(parseJson(bytes, limits.maxValues))
    }
    return withBody(c.req.raw, caps, parse, c.env?.readBody)
  }

  async function asOwner<T>(claims: Claims, job: () => Promise<T>): Promise<T> {
    pressure.check()
    const key = JSON.stringify([claims.tenant, claims.account, claims.device])
    if (!places.enter(key)) {
      const detail = `A device may have ${limits.maxOpenPerDevice} requests open: wait for their answers.`
      throw new HttpProblem('rate_limited', detail, { 'Retry-After': '1' })
    }
    try {
      return await job()
    } finally {
      places.leave(key)
    }
  }

  routes.post('/v1/token', async (c) => {
    requireType(c.req.raw, 'application/json')
    const owner = await readJson(c, smallCaps(MAX_PROOF_BYTES, c.env?.address), (json) => proveUser(json, deps))
    return c.json(await tokens.issue(owner))
  })

  routes.post('/v1/events', async (c) => {
    requireType(c.req.raw, 'application/json')
    // The token first: nobody without one makes the relay read a body.
    const claims = await tokens.verify(bearer(c.req.raw))
    setHeaders(c, rates.owner(claims))
    const { maxWireBytes, maxBodyBytes, maxInflateRatio, bodyTimeoutMs: timeoutMs } = limits
    const open = openBytes.known.of(JSON.stringify([claims.tenant, claims.account]))
    const caps = { maxWireBytes, maxBodyBytes, maxInflateRatio, timeoutMs, open, inflate }
    const accept = (json: unknown) => acceptBatch(parseBatch(json, limits.maxEventsPerBatch), claims)
    return c.json(await asOwner(claims, () => readJson(c, caps, accept)))
  })

  routes.post('/v1/exit', async (c) => {
    requireType(c.req.raw, 'text/plain')
    const reply = await readJson(c, smallCaps(MAX_EXIT_BYTES, c.env?.address), async (json) => {
      const token = (json as { token?: unknown } | null)?.token
      const claims = await tokens.verify(typeof token === 'string' ? token : '')
      setHeaders(c, rates.owner(claims))
      return await asOwner(claims, () => acceptBatch(parseBatch(json, limits.maxEventsPerBatch), claims))
    })
    return c.json(reply)
  })
  return routes
}

async function proveUser(json: unknown, deps: AgentRoutesDeps): Promise<Owner> {
  const { data } = tokenRequest.safeParse(json)
  if (data === undefined) {
    const detail = 'Send {"grant": "…"}, made with createGrant(), or {"session": "…", "device": "…"}.'
    throw new HttpProblem('invalid_request', detail)
  }
  const proof = 'grant' in data ? 'grant' : 'session'
  const owner =
    'grant' in data ? await deps.verifyGrant(data.grant) : await deps.verifySession(data.session, data.device)
  deps.instruments.issued(proof)
  return owner
}

function setHeaders(c: { header(name: string, value: string): void }, headers: RateHeaders): void {
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
}
