import type { Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import * as z from 'zod/mini'
import { type AdminDeskDeps, createAdminDesk } from '../http/admin-desk.ts'
import { createBareApp, type Reporting } from '../http/app.ts'
import type { RelayEnv } from '../http/env.ts'
import { addressKey } from '../limits/rate-limits.ts'
import { createTokenBuckets } from '../limits/token-buckets.ts'
import { HttpProblem } from '../problem.ts'
import type { ConsoleFiles } from './files.ts'
import { requireSameOrigin } from './same-origin.ts'
import { createSessions } from './sessions.ts'

export interface ConsoleDeps extends Reporting, AdminDeskDeps {
  readonly adminKey: string
  readonly uuid: () => string
  /** The operator's API, which the page works with. */
  readonly api: Pick<Hono<RelayEnv>, 'fetch'>
  /** The page's files; asked for once, when they are first needed. */
  readonly loadFiles: () => Promise<ConsoleFiles>
}

const COOKIE = 'metertap_console'
const PLACE = { path: '/console', httpOnly: true, sameSite: 'Strict' } as const
const LOGINS_PER_MINUTE = 10
const MAX_ADDRESSES = 10_000

/** What the page works with. Keys, backups and revocations want the key itself, not a session. */
const OPEN_TO_SESSIONS = /^\/v1\/(backlog|days|dead-letters|events|held|hours|lanes|ledger|parked)(\/|$)/

const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
  requireTrustedTypesFor: ["'script'"],
  trustedTypes: ["'none'"],
}

const login = z.strictObject({ key: z.string().check(z.minLength(1)) })

/**
 * The operator's page, under /console of the admin port: its files, its login, and the operator's API for whoever has
 * logged in. The API beside it goes on wanting the key.
 */
export function createConsole(deps: ConsoleDeps): Hono<RelayEnv> {
  const { adminKey, api, clock, uuid } = deps
  const app = createBareApp(deps, 'The console is at /console.', {
    crossOriginResourcePolicy: 'same-origin',
    contentSecurityPolicy: POLICY,
  })
  const desk = createAdminDesk(deps)
  const sessions = createSessions({ adminKey, clock, uuid })
  const attempts = createTokenBuckets(MAX_ADDRESSES)
  let files: Promise<ConsoleFiles> | undefined

  const isSignedIn = (c: Context<RelayEnv>): Promise<boolean> => sessions.isOpen(getCookie(c, COOKIE) ?? '')

  function limitLogins(address: string | undefined): void {
    const { isAllowed, waitMs } = attempts.draw(addressKey(address ?? 'unknown'), LOGINS_PER_MINUTE, clock())
    if (isAllowed) return
    const retryAfterS = String(Math.ceil(waitMs / 1000))
    throw new HttpProblem('rate_limited', `Too many attempts: wait ${retryAfterS} s.`, { 'Retry-After': retryAfterS })
  }

  app.get('/console', (c) => serve(c, 'page.html'))
  app.get('/console/page.js', (c) => serve(c, 'page.js'))
  app.get('/console/page.css', (c) => serve(c, 'page.css'))
  app.get('/console/icon.svg', (c) => serve(c, 'icon.svg'))

  async function serve(c: Context<RelayEnv>, name: keyof ConsoleFiles): Promise<Response> {
    files ??= deps.loadFiles().catch((error: unknown) => {
      files = undefined
      throw error
    })
    const { type, text } = (await files)[name]
    return c.body(text, 200, { 'Content-Type': type, 'Cache-Control': 'no-cache' })
  }

  app.use('/console/*', async (c, next) => {
    requireSameOrigin(c.req.raw)
    await next()
  })
  app.get('/console/session', async (c) => c.json({ isSignedIn: await isSignedIn(c) }))
  app.post('/console/login', async (c) => {
    limitLogins(c.env?.address)
    const { key } = await desk.read(c.req.raw, login, 'Send {"key": "…"}, the admin key.')
    if (!(await sessions.isKey(key))) throw new HttpProblem('unauthorized', 'That is not the admin key of this relay.')
    const { value, maxAgeS } = await sessions.open()
    const secure = c.req.header('origin')?.startsWith('https:') ?? false
    setCookie(c, COOKIE, value, { ...PLACE, maxAge: maxAgeS, secure })
    return c.json({ isSignedIn: true })
  })
  app.post('/console/logout', (c) => {
    deleteCookie(c, COOKIE, PLACE)
    return c.json({ isSignedIn: false })
  })
  app.all('/console/v1/*', async (c) => {
    if (!(await isSignedIn(c))) throw new HttpProblem('unauthorized', 'Sign in first, with the admin key.')
    const url = new URL(c.req.url)
    url.pathname = url.pathname.slice('/console'.length)
    if (!OPEN_TO_SESSIONS.test(url.pathname)) throw new HttpProblem('not_found', 'The console has no such question.')
    return await api.fetch(withKey(c.req.raw, url, adminKey), c.env)
  })
  return app
}

function withKey({ method, headers: given, body }: Request, url: URL, adminKey: string): Request {
  const headers = new Headers(given)
  headers.delete('cookie')
  headers.set('authorization', `Bearer ${adminKey}`)
  const hasBody = method !== 'GET' && method !== 'HEAD' && body !== null
  return new Request(url, { method, headers, ...(hasBody ? { body, duplex: 'half' } : {}) } as RequestInit)
}

/** One port: what begins with /console is the console's, all else the API's. */
export function besideConsole(
  api: Pick<Hono<RelayEnv>, 'fetch'>,
  console: Pick<Hono<RelayEnv>, 'fetch'>,
): Pick<Hono<RelayEnv>, 'fetch'> {
  return {
    fetch: (request, env) =>
      /^\/console(\/|$)/.test(new URL(request.url).pathname) ? console.fetch(request, env) : api.fetch(request, env),
  }
}
