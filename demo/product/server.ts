import { type Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { csrf } from 'hono/csrf'
import { secureHeaders } from 'hono/secure-headers'
import type { Asset } from '../world/bundle.ts'
import type { Gate } from '../world/gate.ts'
import type { LedgerInfo, SessionInfo } from './contract.ts'
import { createSessions, type Session } from './sessions.ts'

export interface ProductDeps {
  readonly assets: ReadonlyMap<string, Asset>
  readonly gate: Gate
  readonly outbox: string
  readonly usageToken: (session: Session) => Promise<string>
  readonly readLedger: (account: string) => Promise<Omit<LedgerInfo, 'cutUntilMs'>>
}

const COOKIE = 'halftone_session'
const CUT_MS = 15_000

/** Halftone's back end: knows its users, vouches for them at the relay, serves the page. */
export function createProduct({ assets, gate, outbox, usageToken, readLedger }: ProductDeps): Hono {
  const app = new Hono()
  const sessions = createSessions()
  const sessionOf = (c: Context): Session | undefined => sessions.find(getCookie(c, COOKIE))
  const describe = (session: Session | undefined): SessionInfo => {
    const user = session ? { name: session.user.name, account: session.user.account } : null
    return { user, relay: gate.url, outbox }
  }

  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'", gate.url],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
      strictTransportSecurity: false,
    }),
    csrf(),
    async (c, next) => {
      await next()
      c.header('Cache-Control', 'no-store')
    },
  )
  app.get('/api/session', (c) => c.json(describe(sessionOf(c))))
  app.post('/api/login', async (c) => {
    const session = sessions.open(await c.req.text())
    if (!session) return c.text('There is no such user.', 404)
    // `secure` is missing only because the demo is served over http on the loopback.
    setCookie(c, COOKIE, session.id, { httpOnly: true, sameSite: 'Strict', path: '/' })
    return c.json(describe(session))
  })
  app.post('/api/logout', (c) => {
    const session = sessionOf(c)
    if (session) sessions.end(session.id)
    deleteCookie(c, COOKIE, { path: '/' })
    return c.body(null, 204)
  })
  app.get('/usage-token', async (c) => {
    const session = sessionOf(c)
    return session ? c.text(await usageToken(session)) : c.text('Log in first.', 401)
  })
  app.get('/api/ledger', async (c) => {
    const session = sessionOf(c)
    if (!session) return c.text('Log in first.', 401)
    const info: LedgerInfo = { ...(await readLedger(session.user.account)), cutUntilMs: gate.cutUntilMs ?? null }
    return c.json(info)
  })
  app.post('/api/cut-relay', (c) => {
    if (!sessionOf(c)) return c.text('Log in first.', 401)
    gate.cut(CUT_MS)
    return c.body(null, 204)
  })
  app.get('*', (c) => {
    const asset = assets.get(c.req.path)
    return asset ? c.body(asset.content, 200, { 'Content-Type': asset.type }) : c.text('There is no such page.', 404)
  })
  return app
}
