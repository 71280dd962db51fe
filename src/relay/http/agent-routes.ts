import { Hono } from 'hono'
import { cors } from 'hono/cors'
import * as z from 'zod/mini'
import type { AcceptBatch } from '../accept/accept-batch.ts'
import { decodeBody, parseJson } from '../accept/decode-body.ts'
import { parseBatch } from '../accept/parse-batch.ts'
import type { RelayLimits } from '../contract.ts'
import { HttpProblem, stopping } from '../problem.ts'
import type { AccessTokens } from '../tokens/access-token.ts'
import type { VerifyGrant } from '../tokens/verify-grant.ts'
import { readBody, requireType } from './read-body.ts'
import { bearer } from './read-token.ts'

export interface AgentRoutesDeps {
  readonly origins: readonly string[]
  readonly limits: RelayLimits
  readonly tokens: AccessTokens
  readonly verifyGrant: VerifyGrant
  readonly acceptBatch: AcceptBatch
  /** True while the relay drains: it takes nothing new. */
  readonly isStopping: () => boolean
}

const MAX_GRANT_BYTES = 16 * 2 ** 10
/** A browser lets 64 KiB of keepalive bodies be in flight; nothing longer can be an exit batch. */
const MAX_EXIT_BYTES = 64 * 2 ** 10
/** Chromium keeps a preflight for two hours at most, Firefox for a day. */
const PREFLIGHT_LIFE_S = 86_400

const tokenRequest = z.object({ grant: z.string() })

/** What agents call: POST /v1/token, /v1/events and /v1/exit, from the configured origins. */
export function createAgentRoutes(deps: AgentRoutesDeps): Hono {
  const { limits, tokens, verifyGrant, acceptBatch } = deps
  const routes = new Hono()
  const allowOrigins = cors({
    origin: [...deps.origins],
    allowMethods: ['POST'],
    allowHeaders: ['Authorization', 'Content-Type', 'Content-Encoding'],
    exposeHeaders: ['Retry-After'],
    maxAge: PREFLIGHT_LIFE_S,
  })
  for (const path of ['/v1/token', '/v1/events', '/v1/exit']) {
    routes.use(path, allowOrigins, async (_c, next) => {
      if (deps.isStopping()) throw stopping()
      await next()
    })
  }

  routes.post('/v1/token', async (c) => {
    requireType(c.req.raw, 'application/json')
    const body = tokenRequest.safeParse(await readJson(c.req.raw, MAX_GRANT_BYTES, MAX_GRANT_BYTES))
    if (!body.success) throw new HttpProblem('invalid_request', 'Send {"grant": "…"}, made with createGrant().')
    return c.json(await tokens.issue(await verifyGrant(body.data.grant)))
  })

  routes.post('/v1/events', async (c) => {
    requireType(c.req.raw, 'application/json')
    // The token first: nobody without one makes the relay read a body.
    const claims = await tokens.verify(bearer(c.req.raw))
    const body = await readJson(c.req.raw, limits.maxWireBytes, limits.maxBodyBytes)
    return c.json(await acceptBatch(parseBatch(body, limits.maxEventsPerBatch), claims))
  })

  routes.post('/v1/exit', async (c) => {
    requireType(c.req.raw, 'text/plain')
    const body = await readJson(c.req.raw, Math.min(MAX_EXIT_BYTES, limits.maxWireBytes), limits.maxBodyBytes)
    const token = (body as { token?: unknown } | null)?.token
    const claims = await tokens.verify(typeof token === 'string' ? token : '')
    return c.json(await acceptBatch(parseBatch(body, limits.maxEventsPerBatch), claims))
  })
  return routes
}

async function readJson(request: Request, maxWireBytes: number, maxBodyBytes: number): Promise<unknown> {
  const wire = await readBody(request, maxWireBytes)
  return parseJson(await decodeBody(wire, request.headers.get('content-encoding'), maxBodyBytes))
}
