import { Hono } from 'hono'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { routePath } from 'hono/route'
import { secureHeaders } from 'hono/secure-headers'
import type { Log } from '../log.ts'
import type { Instruments } from '../operate/instruments.ts'
import { openApi } from '../operate/openapi.ts'
import { inSpan, type Tracer } from '../operate/tracing.ts'
import { HttpProblem, problemResponse, stopping, unavailable } from '../problem.ts'
import type { RelayStore } from '../store/contract.ts'
import type { KeyRing } from '../tokens/key-ring.ts'
import { type AgentRoutesDeps, createAgentRoutes } from './agent-routes.ts'
import type { RelayEnv } from './env.ts'
import { shareAnswers } from './share-answers.ts'

/** What every app of the relay reports to. */
export interface Reporting {
  readonly log: Log
  readonly tracer: Tracer
  readonly clock: () => number
  readonly instruments: Pick<Instruments, 'request' | 'refused'>
}

export interface AppDeps extends Omit<AgentRoutesDeps, 'instruments'>, Omit<Reporting, 'instruments'> {
  readonly store: Pick<RelayStore, 'check'>
  readonly keys: KeyRing
  readonly publicUrl: string
  readonly version: string
  readonly instruments: Instruments
  /** False where no request may wait for what another has begun. Default true. */
  readonly requestsShare?: boolean
}

/** How long the store's answer to /readyz is good: a flood of probes costs it one question in this time. */
const READY_MS = 1_000

/** The relay's face to agents. Every refusal is problem+json; no request, header or body is logged. */
export function createApp(deps: AppDeps): Hono<RelayEnv> {
  const { store, keys, log, clock, isStopping } = deps
  const app = createBareApp(deps, 'Agents use POST /v1/token, /v1/events and /v1/exit.')
  const description = openApi('agents', { url: deps.publicUrl, version: deps.version })
  const storeAnswer = shareAnswers(() => store.check(), { clock, forMs: READY_MS, waits: deps.requestsShare ?? true })
  app.get('/livez', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    if (isStopping()) throw stopping()
    const { error, isNew } = await storeAnswer()
    if (error !== undefined) {
      if (isNew) log('error', 'store_failed', { error })
      throw unavailable('The store cannot write now: look at its file, folder and free disk space, or at its database.')
    }
    deps.pressure.check()
    return c.json({ status: 'ok' })
  })
  app.get('/.well-known/jwks.json', async (c) =>
    c.json(await keys.jwks(), 200, { 'Cache-Control': 'public, max-age=300' }),
  )
  app.get('/openapi.json', (c) => c.json(description, 200, { 'Cache-Control': 'public, max-age=300' }))
  app.route('/', createAgentRoutes(deps))
  return app
}

/** What the agents' and the operator's app share: headers, problems, metrics and spans. */
export function createBareApp(
  reporting: Reporting,
  notFoundAdvice: string,
  headers: SecurityHeaders = FOR_PROGRAMS,
): Hono<RelayEnv> {
  const { log, tracer, clock, instruments } = reporting
  const app = new Hono<RelayEnv>()
  app.use(async (c, next) => {
    const begunMs = clock()
    const method = KNOWN_METHODS.has(c.req.method) ? c.req.method : 'OTHER'
    await inSpan(tracer, method, 'server', async (span) => {
      await next()
      const route = routeOf(routePath(c, -1))
      const { status } = c.res
      span.updateName(`${method} ${route}`)
      span.setAttributes({ 'http.request.method': method, 'http.route': route, 'http.response.status_code': status })
      instruments.request(method, route, status, Math.max(0, clock() - begunMs))
    })
  })
  app.use(securityHeaders(headers))
  app.use(async (c, next) => {
    await next()
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store')
  })
  const refuse = (problem: HttpProblem): Response => {
    instruments.refused(problem.code)
    return problemResponse(problem)
  }
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (_c, methods) => {
        const allow = methods.join(', ')
        return refuse(new HttpProblem('method_not_allowed', `Use ${allow}.`, { Allow: allow }))
      },
    }),
  )
  app.notFound(() => refuse(new HttpProblem('not_found', notFoundAdvice)))
  app.onError((error) => {
    if (error instanceof HttpProblem) return refuse(error)
    log('error', 'request_failed', { error })
    return refuse(new HttpProblem('internal', "Send the same request again; the relay's log has the cause."))
  })
  return app
}

const KNOWN_METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])

/** A pattern of the relay's own: paths that clients made up have no place in a metric. */
function routeOf(pattern: string): string {
  return pattern.includes('*') || pattern === '' ? 'none' : pattern
}

type SecurityHeaders = Pick<
  NonNullable<Parameters<typeof secureHeaders>[0]>,
  'contentSecurityPolicy' | 'crossOriginResourcePolicy'
>

const FOR_PROGRAMS: SecurityHeaders = {
  // Pages of other origins are the ones that call; CORS decides which of them may read.
  crossOriginResourcePolicy: 'cross-origin',
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
}

function securityHeaders(headers: SecurityHeaders): ReturnType<typeof secureHeaders> {
  return secureHeaders({
    ...headers,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  })
}
