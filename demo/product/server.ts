import { type Context, Hono } from 'hono'
import { deleteCookie, setCookie } from 'hono/cookie'
import { csrf } from 'hono/csrf'
import { secureHeaders } from 'hono/secure-headers'
import type { Asset } from '../world/bundle.ts'
import type { BillInfo, SessionInfo } from './contract.ts'
import { SESSION_COOKIE, type Session, type Sessions, sessionOf } from './sessions.ts'

export interface ProductDeps {
  readonly assets: ReadonlyMap<string, Asset>
  readonly sessions: Sessions
  /** The relay as browsers reach it. */
  readonly relay: string
  readonly outbox: string
  readonly usageToken: (session: Session) => Promise<string>
  readonly readBill: (account: string) => BillInfo
}

/** Halftone's back end: knows its users, vouches for them at the relay, serves the page. */
export function createProduct({ assets, sessions, relay, outbox, usageToken, readBill }: ProductDeps): Hono {
  const app = new Hono()
  const current = (c: Context): Session | undefined => sessionOf(c, sessions)
  const describe = (session: Session | undefined): SessionInfo => {
    const { name = '', company = '', account = '' } = session?.user ?? {}
    return { user: session ? { name, company, account } : null, relay, outbox }
  }

  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'", relay],
        // The stage's frames, where a browser lets it open one tab only.
        frameSrc: ["'self'"],
        formAction: ["'none'"],
        frameAncestors: ["'self'"],
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
  app.get('/api/session', (c) => c.json(describe(current(c))))
  app.post('/api/login', async (c) => {
    const session = sessions.open(await c.req.text())
    if (!session) return c.text('There is no such user.', 404)
    // `secure` is missing only because the demo is served over http on the loopback.
    setCookie(c, SESSION_COOKIE, session.id, { httpOnly: true, sameSite: 'Strict', path: '/' })
    return c.json(describe(session))
  })
  app.post('/api/logout', (c) => {
    const session = current(c)
    if (session) sessions.end(session.id)
    deleteCookie(c, SESSION_COOKIE, { path: '/' })
    return c.body(null, 204)
  })
  app.get('/usage-token', async (c) => {
    const session = current(c)
    if (!session) return c.text('Sign in first.', 401)
    const token = await usageToken(session).catch(() => undefined)
    return token === undefined ? c.text('The relay does not answer.', 503) : c.text(token)
  })
  app.get('/api/bill', (c) => {
    const session = current(c)
    return session ? c.json(readBill(session.user.account)) : c.text('Sign in first.', 401)
  })
  app.get('*', (c) => {
    const asset = assets.get(c.req.path)
    return asset ? c.body(asset.content, 200, { 'Content-Type': asset.type }) : c.text('There is no such page.', 404)
  })
  return app
}
