import type { Hono } from 'hono'
import * as z from 'zod/mini'
import { isCleanText } from '../clean-text.ts'
import type { ForwarderDesk } from '../forward/contract.ts'
import type { Metrics } from '../operate/metrics.ts'
import { openApi } from '../operate/openapi.ts'
import { HttpProblem } from '../problem.ts'
import type { Reconciler } from '../reconcile/contract.ts'
import type { RelayStore } from '../store/contract.ts'
import type { KeyRing } from '../tokens/key-ring.ts'
import { type AdminDeskDeps, createAdminDesk, parseLimit } from './admin-desk.ts'
import { createBareApp, type Reporting } from './app.ts'
import { createDeadLetterRoutes, type DeadLetterDeps } from './dead-letter-routes.ts'
import type { RelayEnv } from './env.ts'
import { createLookupRoutes } from './lookup-routes.ts'
import { createOperationRoutes, type OperationDeps } from './operation-routes.ts'
import { bearer } from './read-token.ts'

export interface AdminDeps extends Reporting, Omit<DeadLetterDeps, 'desk'>, Pick<AdminDeskDeps, 'inflate'> {
  readonly adminKey: string
  readonly tenant: string
  readonly backup: ((file: string) => Promise<void>) | undefined
  readonly version: string
  readonly store: Pick<
    RelayStore,
    'totals' | 'backlog' | 'ledger' | 'gaps' | 'revocations' | 'revoke' | 'revokedBefore'
  > &
    DeadLetterDeps['store'] &
    OperationDeps['store']
  readonly forwarder: ForwarderDesk
  readonly reconciler: Reconciler
  readonly keys: KeyRing
  readonly metrics: Pick<Metrics, 'render'>
}

const revocation = z.strictObject({
  account: z.string().check(z.refine(isCleanText)),
  device: z.optional(z.string().check(z.refine(isCleanText))),
  beforeMs: z.optional(z.int().check(z.nonnegative())),
})

/** The operator's API, on a port of its own. Every request needs the admin key. */
export function createAdminApp(deps: AdminDeps): Hono<RelayEnv> {
  const { adminKey, tenant, version, store, forwarder, keys, metrics, clock } = deps
  const app = createBareApp(deps, 'GET /openapi.json lists what there is.')
  const desk = createAdminDesk(deps)
  const { ask } = desk
  const description = openApi('operator', { url: '/', version })

  app.use(async (c, next) => {
    await requireKey(c.req.raw, adminKey)
    await next()
  })
  app.get('/openapi.json', (c) => c.json(description))
  app.get('/metrics', async (c) => {
    const { text, contentType } = await metrics.render()
    return c.body(text, 200, { 'Content-Type': contentType })
  })
  app.get('/v1/ledger', async (c) => {
    const limit = parseLimit(c.req.query('limit'))
    const [totals, lanes, streams] = await ask(() =>
      Promise.all([store.totals(), store.backlog(), store.ledger({ ...filterOf(c.req.query()), limit })]),
    )
    return c.json({ serverTime: clock(), totals, lanes, forwarding: await forwarder.stats(), streams })
  })
  app.get('/v1/gaps', async (c) => {
    const limit = parseLimit(c.req.query('limit'))
    const gaps = await ask(() => store.gaps({ ...filterOf(c.req.query()), limit }))
    return c.json({ serverTime: clock(), gaps })
  })
  app.get('/v1/backlog', async (c) => {
    const lanes = await ask(() => store.backlog())
    return c.json({ serverTime: clock(), lanes, forwarding: await forwarder.stats() })
  })
  app.get('/v1/revocations', async (c) => c.json({ revocations: await ask(() => store.revocations()) }))
  app.post('/v1/revocations', async (c) => {
    const hint = 'Send {"account": "…"}, and if you like "device" and "beforeMs".'
    const { account, device, beforeMs } = await desk.read(c.req.raw, revocation, hint)
    const subject = { tenant, account, ...(device === undefined ? {} : { device }) }
    await ask(() => store.revoke({ ...subject, beforeMs: beforeMs ?? clock() }))
    return c.json({ revocation: { ...subject, beforeMs: await ask(() => store.revokedBefore(subject)) } })
  })
  app.post('/v1/signing-keys/replace', async (c) => {
    await ask(() => keys.replace())
    return c.json(await keys.jwks())
  })
  app.route('/', createDeadLetterRoutes({ ...deps, desk }))
  app.route('/', createOperationRoutes({ ...deps, desk }))
  app.route('/', createLookupRoutes({ ...deps, desk }))
  return app
}

/** Digests have one length, so that the comparison takes the same time for every guess. */
async function requireKey(request: Request, adminKey: string): Promise<void> {
  const [given, wanted] = await Promise.all([sha256(bearer(request)), sha256(adminKey)])
  let difference = 0
  for (const [i, byte] of given.entries()) difference |= byte ^ (wanted[i] as number)
  if (difference === 0) return
  throw new HttpProblem('unauthorized', "Send Authorization: Bearer with the relay's admin key.")
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

function filterOf({ account, stream }: Record<string, string>): { account?: string; stream?: string } {
  return { ...(account ? { account } : {}), ...(stream ? { stream } : {}) }
}
