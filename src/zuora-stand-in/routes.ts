import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { createAdmin } from './admin.ts'
import { readBody, type WireBody } from './body.ts'
import type { MeterBook } from './book.ts'
import { cut, deliver, headerReader } from './connection.ts'
import { type Answer, CODES } from './error-bodies.ts'
import type { TokenService } from './oauth.ts'
import { listEntries, summarizeMeter } from './reconcile.ts'
import { type FaultDeps, type Reply, underFaults } from './under-faults.ts'
import { type Outcome, processUsage, type UsageCall, type UsageDeps } from './usage.ts'

const MAX_SMALL_BODY_BYTES = 65_536

export interface RouteDeps extends UsageDeps, FaultDeps {
  readonly tokens: TokenService
}

type Env = { Bindings: HttpBindings }

export function createRoutes(deps: RouteDeps): Hono<Env> {
  const app = new Hono<Env>()
  app.post('/oauth/token', async (c) => (await handleToken(c.env, new URL(c.req.url).search, deps)) ?? cut(c.env))
  app.post('/usage/bulk/:meterGlobalId', async (c) => {
    if (new URL(c.req.url).search !== '') deps.ledger.noteOddity('query')
    return handleUsage(c.env, c.req.param('meterGlobalId'), deps)
  })
  app.post('/meters/:meterId/summary', async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined)
    const answer = withMeter(c.env, c.req.param('meterId'), deps, (book) =>
      summarizeMeter(book, body, deps.now(), deps.writeError),
    )
    return deliver({ answer }, c.env)
  })
  app.get('/meters/:meterId/auditTrail/entries', (c) => {
    const meterId = c.req.param('meterId')
    const answer = withMeter(c.env, meterId, deps, (book) =>
      listEntries(book, deps.ledger.audit(meterId), c.req.query(), deps.writeError),
    )
    return deliver({ answer }, c.env)
  })
  app.route('/_standin', createAdmin(deps.faults, deps.ledger))
  app.notFound((c) =>
    deliver({ answer: deps.writeError({ status: 404, code: CODES.notFound, message: 'No such resource.' }) }, c.env),
  )
  return app
}

/** Undefined when the connection is to be cut. */
async function handleToken(env: HttpBindings, query: string, deps: RouteDeps): Promise<Response | undefined> {
  const place = { on: 'token' } as const
  deps.ledger.noteTokenRequest()
  if (deps.faults.take(place, ['connection-refused'])) return undefined
  const body = await readOrLose(env, MAX_SMALL_BODY_BYTES)
  if (!body) return undefined
  const request = {
    ip: env.incoming.socket.remoteAddress ?? '',
    header: headerReader(env),
    query,
    body: body.bytes?.toString('utf8') ?? '',
  }
  return deliver(await underFaults(place, deps, async () => deps.tokens.grant(request)), env)
}

async function handleUsage(env: HttpBindings, meterId: string, deps: RouteDeps): Promise<Response> {
  const place = { on: 'usage', meter: meterId } as const
  const header = headerReader(env)
  if (header('idempotency-key') !== undefined) deps.ledger.noteOddity('idempotency-key')
  if (deps.faults.take(place, ['connection-refused'])) {
    note({ meterId, header, body: NO_BODY }, undefined, { cut: 'all', fault: 'connection-refused' }, deps)
    return cut(env)
  }
  // Compressed bytes may be a little more than plain ones; the rest of a longer body is not kept.
  const body = await readOrLose(env, deps.limits.payloadBytes + MAX_SMALL_BODY_BYTES)
  const call: UsageCall = { meterId, header, body: body ?? NO_BODY }
  if (!body) {
    note(call, undefined, { cut: 'all' }, deps)
    return cut(env)
  }
  let outcome: Outcome | undefined
  const reply = await underFaults(place, deps, async () => {
    outcome = await processUsage(call, deps)
    return outcome.answer
  })
  note(call, outcome, reply, deps)
  return deliver(reply, env)
}

const NO_BODY: WireBody = { wireBytes: 0, sha256: '' }

/** Undefined when the client went away in the middle of its body. */
function readOrLose({ incoming }: HttpBindings, maxBytes: number): Promise<WireBody | undefined> {
  return readBody(incoming, maxBytes).catch(() => undefined)
}

function note({ meterId, header, body }: UsageCall, outcome: Outcome | undefined, reply: Reply, deps: RouteDeps): void {
  const trackId = header('zuora-track-id')
  deps.ledger.noteCall({
    atMs: deps.now(),
    meter: meterId,
    ...(trackId !== undefined && { trackId }),
    ...(reply.cut === undefined && { status: reply.answer.status }),
    ...(reply.fault && { fault: reply.fault }),
    wireBytes: body.wireBytes,
    bodyBytes: outcome?.bodyBytes ?? 0,
    rows: outcome?.rows ?? 0,
    billed: outcome?.billed ?? 0,
    sha256: body.sha256,
  })
}

function withMeter(env: HttpBindings, meterId: string, deps: RouteDeps, act: (book: MeterBook) => Answer): Answer {
  if (!deps.clientOf(headerReader(env)('authorization'))) {
    return deps.writeError({ status: 401, code: CODES.auth, message: 'The access token is not valid.' })
  }
  const book = deps.ledger.book(meterId)
  return book ? act(book) : deps.writeError({ status: 404, code: CODES.notFound, message: 'No such meter.' })
}
