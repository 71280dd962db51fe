import { createHash, timingSafeEqual } from 'node:crypto'
import { Hono } from 'hono'
import type { Forwarder } from '../forward/contract.ts'
import type { Log } from '../log.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import type { RelayStore } from '../store/contract.ts'
import { bearer } from './read-token.ts'

export interface AdminDeps {
  readonly adminKey: string | undefined
  readonly store: Pick<RelayStore, 'ledger' | 'totals' | 'backlog' | 'deadLetters'>
  readonly forwarder: Pick<Forwarder, 'stats'>
  readonly clock: () => number
  readonly log: Log
}

const DEFAULT_LIMIT = 1000
const MAX_LIMIT = 10_000

/** GET /v1/ledger and GET /v1/dead-letters, for the holder of the admin key. Without a key they do not exist. */
export function createAdminRoutes({ adminKey, store, forwarder, clock, log }: AdminDeps): Hono {
  const routes = new Hono()
  if (adminKey === undefined) return routes
  const read = async <T>(job: () => Promise<T>): Promise<T> => {
    try {
      return await job()
    } catch (error) {
      log('error', 'store_failed', { error })
      throw unavailable('The store cannot be read now: ask again.')
    }
  }
  routes.get('/v1/ledger', async (c) => {
    requireKey(c.req.raw, adminKey)
    const filter = { ...optional('account', c.req.query('account')), ...optional('stream', c.req.query('stream')) }
    const limit = parseLimit(c.req.query('limit'))
    const [totals, lanes, streams] = await read(() =>
      Promise.all([store.totals(), store.backlog(), store.ledger({ ...filter, limit })]),
    )
    return c.json({ serverTime: clock(), totals, lanes, forwarding: forwarder.stats(), streams })
  })
  routes.get('/v1/dead-letters', async (c) => {
    requireKey(c.req.raw, adminKey)
    const limit = parseLimit(c.req.query('limit'))
    const deadLetters = await read(() => store.deadLetters({ limit }))
    return c.json({ serverTime: clock(), deadLetters })
  })
  return routes
}

/** Digests have one length, so that the comparison takes the same time for every guess. */
function requireKey(request: Request, adminKey: string): void {
  if (timingSafeEqual(digest(bearer(request)), digest(adminKey))) return
  throw new HttpProblem('unauthorized', "Send Authorization: Bearer with the relay's adminKey.")
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function optional<Key extends string>(key: Key, value: string | undefined): Partial<Record<Key, string>> {
  return value === undefined || value === '' ? {} : ({ [key]: value } as Partial<Record<Key, string>>)
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new HttpProblem('invalid_request', `"limit" is a whole number from 1 to ${MAX_LIMIT}.`)
}
