import { Hono } from 'hono'
import { tellWay } from '../operate/event-way.ts'
import { toDays } from '../operate/ledger-days.ts'
import { HttpProblem } from '../problem.ts'
import type { RelayStore } from '../store/contract.ts'
import { type AdminDesk, parseLimit } from './admin-desk.ts'
import type { RelayEnv } from './env.ts'

export interface LookupDeps {
  readonly store: Pick<RelayStore, 'ledger' | 'gaps' | 'deadLetters' | 'parkedDeliveries'>
  readonly clock: () => number
  readonly desk: AdminDesk
}

/** Data of a dead letter may be 64 KiB: no more of a stream are looked at. */
const MAX_LETTERS = 1_000
const MAX_PARKED = 100

/** What the ledger tells when it is asked by day, or by event. */
export function createLookupRoutes({ store, clock, desk }: LookupDeps): Hono<RelayEnv> {
  const { ask } = desk
  const routes = new Hono<RelayEnv>()

  routes.get('/v1/days', async (c) => {
    const account = c.req.query('account')
    const limit = parseLimit(c.req.query('limit'))
    const rows = await ask(() => store.ledger({ ...(account ? { account } : {}), limit }))
    return c.json({ serverTime: clock(), isWhole: rows.length < limit, streams: rows.length, days: toDays(rows) })
  })

  routes.get('/v1/events/:id', async (c) => {
    const id = c.req.param('id')
    const { stream, seq } = parseEventId(id)
    const [rows, gaps, letters, deliveries] = await ask(() =>
      Promise.all([
        store.ledger({ stream }),
        store.gaps({ stream }),
        store.deadLetters({ stream, limit: MAX_LETTERS }),
        store.parkedDeliveries({ limit: MAX_PARKED }),
      ]),
    )
    if (rows.length === 0) throw new HttpProblem('not_found', 'There is no such stream: nothing of it ever came here.')
    const ways = rows.map((row) => {
      const isOwn = (of: { tenant: string; account: string }): boolean =>
        of.tenant === row.tenant && of.account === row.account
      return tellWay(seq, {
        row,
        gaps: gaps.find(isOwn),
        letter: letters.find((letter) => isOwn(letter) && letter.seq === seq),
        areLettersWhole: letters.length < MAX_LETTERS,
        // A delivery does not say whose its events are: with a stream under several accounts it tells nothing.
        parked: rows.length > 1 ? undefined : deliveries.find(({ events }) => events.includes(id)),
      })
    })
    return c.json({ serverTime: clock(), id, ways: ways.map(shown) })
  })
  return routes
}

/** Errors: HttpProblem not_found, as for an id that nobody made. */
function parseEventId(id: string): { readonly stream: string; readonly seq: number } {
  const [, stream = '', digits = ''] = /^([\w-]{1,100})-(\d{1,15})$/.exec(id) ?? []
  if (stream !== '') return { stream, seq: Number(digits) }
  throw new HttpProblem('not_found', 'There is no such event: an id is <stream>-<number>.')
}

/** Data as JSON, not as text of JSON. */
function shown(way: ReturnType<typeof tellWay>): Record<string, unknown> {
  const { deadLetter, ...rest } = way
  return deadLetter === undefined ? rest : { ...rest, deadLetter: { ...deadLetter, data: JSON.parse(deadLetter.data) } }
}
