import { Hono } from 'hono'
import * as z from 'zod/mini'
import { MetertapError } from '../../wire/errors.ts'
import { isCleanText } from '../clean-text.ts'
import type { ForwarderDesk } from '../forward/contract.ts'
import { HttpProblem } from '../problem.ts'
import type { Reconciler } from '../reconcile/contract.ts'
import type { RelayStore } from '../store/contract.ts'
import { type AdminDesk, parseLimit, parseWhole } from './admin-desk.ts'
import type { RelayEnv } from './env.ts'

export interface OperationDeps {
  readonly store: Pick<
    RelayStore,
    | 'pauseLane'
    | 'resumeLane'
    | 'heldEvents'
    | 'releaseHeld'
    | 'parkedDeliveries'
    | 'resolveParked'
    | 'ledgerByHour'
    | 'backlog'
  >
  readonly forwarder: ForwarderDesk
  readonly reconciler: Reconciler
  readonly tenant: string
  /** Writes a backup of that name; undefined where the operator has named no place for them. */
  readonly backup: ((file: string) => Promise<void>) | undefined
  /** What to do instead where there is no `backup`. Default: how to name a place. */
  readonly noBackupAdvice?: string
  readonly clock: () => number
  readonly desk: AdminDesk
}

const text = z.string().check(z.refine(isCleanText))
const pause = z.strictObject({ reason: text })
const reconcile = z.strictObject({ sinceMs: z.optional(z.int().check(z.nonnegative())) })
const release = z.strictObject({ account: text })
const verdict = z.strictObject({ verdict: z.enum(['accepted', 'resend', 'bury']) })

const NO_FOLDER = 'Set admin.backupFolder first, or run: metertap relay backup FILE.'

/** What an operator does with lanes, events on hold, parked deliveries and the store itself. */
export function createOperationRoutes(deps: OperationDeps): Hono<RelayEnv> {
  const { store, forwarder, reconciler, tenant, backup, clock, desk } = deps
  const { ask, read } = desk
  const routes = new Hono<RelayEnv>()

  const requireLane = async (lane: string): Promise<void> => {
    const lanes = [...(await forwarder.stats()), ...(await ask(() => store.backlog()))]
    if (!lanes.some((known) => known.lane === lane)) throw new HttpProblem('not_found', 'There is no such lane.')
  }

  routes.post('/v1/lanes/:lane/pause', async (c) => {
    const { reason } = await read(c.req.raw, pause, 'Send {"reason": "…"}: it is shown while the lane is paused.')
    const lane = c.req.param('lane')
    await requireLane(lane)
    await ask(() => store.pauseLane(lane, reason, clock()))
    return c.json({ lane, paused: true })
  })
  routes.post('/v1/lanes/:lane/resume', async (c) => {
    const lane = c.req.param('lane')
    await requireLane(lane)
    const wasPaused = await ask(() => store.resumeLane(lane))
    forwarder.wake(lane)
    return c.json({ lane, wasPaused })
  })

  routes.get('/v1/held', async (c) => {
    const account = c.req.query('account')
    const limit = parseLimit(c.req.query('limit'))
    return c.json({ held: await ask(() => store.heldEvents({ ...(account ? { account } : {}), limit })) })
  })
  routes.post('/v1/held/release', async (c) => {
    const { account } = await read(c.req.raw, release, 'Send {"account": "…"}.')
    const released = await ask(() => store.releaseHeld({ tenant, account }))
    forwarder.wake()
    return c.json({ released })
  })

  routes.get('/v1/parked', async (c) => {
    const lane = c.req.query('lane')
    const limit = parseLimit(c.req.query('limit'))
    return c.json({ parked: await ask(() => store.parkedDeliveries({ ...(lane ? { lane } : {}), limit })) })
  })
  routes.post('/v1/parked/:id', async (c) => {
    const hint = 'Send {"verdict": "accepted"}, "resend" or "bury": what you found out about the upstream.'
    const { verdict: decision } = await read(c.req.raw, verdict, hint)
    const isResolved = await ask(() => store.resolveParked(c.req.param('id'), decision, clock()))
    if (!isResolved) throw new HttpProblem('not_found', 'No such delivery is parked (any more).')
    forwarder.wake()
    return c.json({ id: c.req.param('id'), verdict: decision })
  })

  routes.get('/v1/hours', async (c) => {
    const { account, meter, from, until } = c.req.query()
    const fromMs = parseWhole('from', from, Number.MAX_SAFE_INTEGER)
    const untilMs = parseWhole('until', until, Number.MAX_SAFE_INTEGER)
    const filter = {
      ...(account ? { account } : {}),
      ...(meter ? { meter } : {}),
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(untilMs === undefined ? {} : { untilMs }),
    }
    const limit = parseLimit(c.req.query('limit'))
    return c.json({ hours: await ask(() => store.ledgerByHour({ ...filter, limit })) })
  })

  routes.post('/v1/reconcile', async (c) => {
    const { sinceMs } = await read(c.req.raw, reconcile, 'Send {}, or {"sinceMs": …} to look further back.')
    const report = await ask(() => reconciler.run(sinceMs === undefined ? {} : { sinceMs }))
    forwarder.wake()
    return c.json({ report })
  })

  routes.post('/v1/backup', async (c) => {
    if (backup === undefined) {
      throw new HttpProblem('conflict', deps.noBackupAdvice ?? NO_FOLDER)
    }
    // The name is the relay's own: nobody chooses a path over the network.
    const file = `relay-${new Date(clock()).toISOString().replaceAll(/[:.]/g, '-')}.db`
    const refusal = await ask(() => backup(file).then(() => undefined, asRefusal))
    if (refusal !== undefined) throw new HttpProblem('conflict', refusal)
    return c.json({ file })
  })
  return routes
}

/** A store that is copied by other means says so: asking again would not help. */
function asRefusal(error: unknown): string {
  if (error instanceof MetertapError && error.code === 'bad_option') return error.message
  throw error
}
