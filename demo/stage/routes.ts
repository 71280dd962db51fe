import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import * as z from 'zod'
import { type Sessions, sessionOf } from '../product/sessions.ts'
import { METER_ROUTES, meterIdOf } from '../world/meter-routes.ts'
import type { Surroundings } from '../world/open-world.ts'
import type { RelayProcess } from '../world/relay-process.ts'
import { MOODS, type Mood, type StageLook, type Verdict } from './contract.ts'
import { FAULTS } from './moods.ts'
import { createBilledCounter, judge, type RelayStream, relayLedger } from './verdict.ts'

export interface StageDeps extends Omit<Surroundings, 'close' | typeof Symbol.asyncDispose> {
  readonly host: RelayProcess
  readonly sessions: Sessions
}

const MAX_STREAMS = 1_000
const count = z.int().nonnegative()
const outbox = z
  .array(z.object({ id: z.string().max(100), recorded: count, settled: count, dead: count, dropped: count }))
  .max(MAX_STREAMS)
const network = z.object({ isCut: z.boolean() })
const upstream = z.object({ mood: z.enum(MOODS) })

/** The stage's own switchboard. For whoever is signed in, on the loopback; no product would have it. */
export function createStage(deps: StageDeps): Hono {
  const { gate, host, zuora, adminKey, sessions } = deps
  const app = new Hono()
  const look = createLook(deps)
  let mood: Mood = 'well'

  app.use('/stage/*', csrf(), async (c, next) => {
    if (!sessionOf(c, sessions)) return c.text('Sign in first.', 401)
    await next()
    c.header('Cache-Control', 'no-store')
  })
  app.onError((error, c) => c.text(error.message, error instanceof z.ZodError ? 400 : 500))
  app.post('/stage/look', async (c) => {
    const verdict = await look(outbox.parse(await c.req.json()))
    const answer: StageLook = {
      ...{ verdict, mood, isCut: gate.cutUntilMs !== undefined },
      relay: { pid: host.pid, nextStartAtMs: host.nextStartAtMs },
      console: { url: `${host.adminUrl}/console`, key: adminKey },
    }
    return c.json(answer)
  })
  app.post('/stage/network', async (c) => {
    const { isCut } = network.parse(await c.req.json())
    gate.cut(isCut ? Number.POSITIVE_INFINITY : 0)
    return c.body(null, 204)
  })
  app.post('/stage/relay/kill', async (c) => {
    await host.kill()
    return c.body(null, 204)
  })
  app.post('/stage/relay/start', async (c) => {
    await host.start()
    return c.body(null, 204)
  })
  app.post('/stage/upstream', async (c) => {
    mood = upstream.parse(await c.req.json()).mood
    zuora.faults.set(FAULTS[mood])
    return c.body(null, 204)
  })
  return app
}

/**
 * Asks the relay, then Zuora's stand-in; the browser has looked into its outbox before. Streams that the relay knew when
 * the stage began are left out: they are an earlier run's, with a stand-in that has forgotten them.
 */
function createLook({ host, adminKey, zuora }: StageDeps): (streams: z.infer<typeof outbox>) => Promise<Verdict> {
  const countBilled = createBilledCounter(zuora.ledger)
  const relay = new Map<string, RelayStream>()
  const askRelay = async (): Promise<boolean> => {
    if (host.pid === undefined) return false
    try {
      const headers = { authorization: `Bearer ${adminKey}` }
      const response = await fetch(`${host.adminUrl}/v1/ledger?limit=${MAX_STREAMS}`, { headers })
      for (const row of relayLedger.parse(await response.json()).streams) relay.set(row.stream, row)
      return response.ok
    } catch {
      return false
    }
  }
  const earlier = askRelay().then(() => new Set(relay.keys()))
  return async (streams) => {
    const before = await earlier
    const isRelayKnown = await askRelay()
    const doubles = METER_ROUTES.map(({ meter }) => zuora.ledger.totals(meterIdOf(meter.name)).duplicates)
    const doubled = doubles.reduce((sum, each) => sum + each, 0)
    const ours = streams.filter(({ id }) => !before.has(id))
    return judge({ outbox: ours, relay, isRelayKnown, countBilled, doubled })
  }
}
