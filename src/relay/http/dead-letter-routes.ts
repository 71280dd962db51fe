import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import * as z from 'zod/mini'
import type { Meter } from '../../meter/contract.ts'
import { judgeData } from '../accept/judge-data.ts'
import type { RelayLimits } from '../contract.ts'
import type { ForwarderDesk } from '../forward/contract.ts'
import { HttpProblem } from '../problem.ts'
import type { DeadLetterFilter, RelayDeadLetter, RelayStore } from '../store/contract.ts'
import { type AdminDesk, parseLimit, parseWhole } from './admin-desk.ts'
import type { RelayEnv } from './env.ts'

export interface DeadLetterDeps {
  readonly store: Pick<RelayStore, 'deadLetters' | 'editDeadLetter' | 'replayDeadLetters' | 'deleteDeadLetters'> &
    Partial<PagedLetters>
  readonly forwarder: Pick<ForwarderDesk, 'wake'>
  readonly meters: ReadonlyMap<string, Meter>
  readonly limits: RelayLimits
  readonly clock: () => number
  readonly desk: AdminDesk
}

/** A store of many parts, where a page of all costs a question to each: it goes through them one after the other. */
export interface PagedLetters {
  pagesOfDeadLetters(filter: DeadLetterFilter, pageLimit: number): AsyncIterator<readonly RelayDeadLetter[]>
}

const EXPORT_PAGE = 500
const MAX_IDS = 10_000

const edit = z.strictObject({ data: z.unknown() })
const selection = z.strictObject({ ids: z.array(z.int().check(z.positive())).check(z.maxLength(MAX_IDS)) })
const SELECTION_HINT = `Send {"ids": […]}, at most ${MAX_IDS} ids of dead letters.`

/** Dead letters: list, export (one JSON object to a line), edit, replay. */
export function createDeadLetterRoutes({
  store,
  forwarder,
  meters,
  limits,
  clock,
  desk,
}: DeadLetterDeps): Hono<RelayEnv> {
  const routes = new Hono<RelayEnv>()
  const { ask } = desk

  routes.get('/v1/dead-letters', async (c) => {
    const filter = readFilter(c.req.query())
    if (!c.req.header('accept')?.includes('application/x-ndjson')) {
      const limit = parseLimit(c.req.query('limit'))
      const deadLetters = await ask(() => store.deadLetters({ ...filter, limit }))
      return c.json({ serverTime: clock(), deadLetters: deadLetters.map(shown) })
    }
    // The first page before the status: a store that fails is a 503, not half an export.
    const pages = store.pagesOfDeadLetters?.(filter, EXPORT_PAGE) ?? pagesOf(store, filter, EXPORT_PAGE)
    let page = await ask(() => pages.next())
    c.header('Content-Type', 'application/x-ndjson')
    return stream(c, async (out) => {
      for (; page.done !== true && !out.aborted; page = await pages.next()) {
        await out.write(page.value.map((letter) => `${JSON.stringify(shown(letter))}\n`).join(''))
      }
    })
  })

  routes.patch('/v1/dead-letters/:id', async (c) => {
    const id = parseWhole('id', c.req.param('id'), Number.MAX_SAFE_INTEGER) as number
    const { data } = await desk.read(c.req.raw, edit, 'Send {"data": …}, the event’s new data.')
    const [letter] = await ask(() => store.deadLetters({ id, limit: 1 }))
    const meter = letter === undefined ? undefined : meters.get(letter.meter)
    if (letter === undefined) throw new HttpProblem('not_found', 'There is no such dead letter (any more).')
    if (meter === undefined) {
      throw new HttpProblem('conflict', 'The relay has no such meter any more: add it to the configuration first.')
    }
    const verdict = await judgeData(meter, data, limits)
    if (verdict === undefined) throw new HttpProblem('conflict', 'The schema of the meter fails: mend it first.')
    if (typeof verdict !== 'string') throw new HttpProblem('invalid_request', `${verdict.code}: ${verdict.detail}`)
    if (await ask(() => store.editDeadLetter(id, verdict))) {
      return c.json({ deadLetter: shown({ ...letter, data: verdict }) })
    }
    throw new HttpProblem('not_found', 'The dead letter was replayed meanwhile.')
  })

  routes.post('/v1/dead-letters/replay', async (c) => {
    const { ids } = await desk.read(c.req.raw, selection, SELECTION_HINT)
    const replayed = await ask(() => store.replayDeadLetters(ids))
    for (const lane of new Set(replayed.map(({ meter }) => meter))) forwarder.wake(lane)
    return c.json({ replayed: replayed.length })
  })

  routes.post('/v1/dead-letters/delete', async (c) => {
    const { ids } = await desk.read(c.req.raw, selection, SELECTION_HINT)
    return c.json({ deleted: await ask(() => store.deleteDeadLetters(ids)) })
  })
  return routes
}

/** Page after page, the newest letters first, until there are no more. */
export async function* pagesOf(
  store: Pick<RelayStore, 'deadLetters'>,
  filter: DeadLetterFilter,
  limit: number,
): AsyncGenerator<readonly RelayDeadLetter[]> {
  let { before } = filter
  for (;;) {
    const page = await store.deadLetters({ ...filter, ...(before === undefined ? {} : { before }), limit })
    if (page.length > 0) yield page
    if (page.length < limit) return
    before = (page.at(-1) as RelayDeadLetter).id
  }
}

/** Data as JSON, not as text of JSON. */
function shown(letter: RelayDeadLetter): Record<string, unknown> {
  return { ...letter, data: JSON.parse(letter.data) }
}

function readFilter({ meter, account, before }: Record<string, string>): DeadLetterFilter {
  const until = parseWhole('before', before, Number.MAX_SAFE_INTEGER)
  return {
    ...(meter ? { meter } : {}),
    ...(account ? { account } : {}),
    ...(until === undefined ? {} : { before: until }),
  }
}
