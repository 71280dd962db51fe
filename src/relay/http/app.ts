import { Hono } from 'hono'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { secureHeaders } from 'hono/secure-headers'
import type { Log } from '../log.ts'
import { HttpProblem, problemResponse, stopping, unavailable } from '../problem.ts'
import type { RelayStore } from '../store/contract.ts'
import type { SigningKey } from '../tokens/signing-key.ts'
import { type AdminDeps, createAdminRoutes } from './admin.ts'
import { type AgentRoutesDeps, createAgentRoutes } from './agent-routes.ts'

export interface AppDeps extends AgentRoutesDeps, AdminDeps {
  readonly store: AdminDeps['store'] & Pick<RelayStore, 'check'>
  readonly key: SigningKey
  readonly log: Log
}

/** The relay's HTTP face. Every refusal is problem+json; no request, header or body is logged. */
export function createApp(deps: AppDeps): Hono {
  const { store, key, log, isStopping } = deps
  const app = new Hono()
  app.use(
    secureHeaders({
      // Pages of other origins are the ones that call; CORS decides which of them may read.
      crossOriginResourcePolicy: 'cross-origin',
      contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      xDnsPrefetchControl: false,
      xDownloadOptions: false,
      xPermittedCrossDomainPolicies: false,
      xXssProtection: false,
    }),
  )
  app.use(async (c, next) => {
    await next()
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store')
  })
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (_c, methods) => {
        const allow = methods.join(', ')
        return problemResponse(new HttpProblem('method_not_allowed', `Use ${allow}.`, { Allow: allow }))
      },
    }),
  )
  app.get('/livez', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    if (isStopping()) throw stopping()
    await store.check().catch((error: unknown) => {
      log('error', 'store_failed', { error })
      throw unavailable('The store cannot write now: look at its file, its folder and the free disk space.')
    })
    return c.json({ status: 'ok' })
  })
  app.get('/.well-known/jwks.json', (c) => c.json(key.jwks, 200, { 'Cache-Control': 'public, max-age=300' }))
  app.route('/', createAgentRoutes(deps))
  app.route('/', createAdminRoutes(deps))
  app.notFound(() =>
    problemResponse(new HttpProblem('not_found', 'Agents use POST /v1/token, /v1/events and /v1/exit.')),
  )
  app.onError((error) => {
    if (error instanceof HttpProblem) return problemResponse(error)
    log('error', 'request_failed', { error })
    return problemResponse(new HttpProblem('internal', "Send the same request again; the relay's log has the cause."))
  })
  return app
}
