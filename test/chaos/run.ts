import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { browserActor } from './actors/browser.ts'
import { networkActor } from './actors/network.ts'
import { nodeActor } from './actors/node.ts'
import { untilEmpty } from './actors/until-empty.ts'
import { upstreamActor } from './actors/upstream.ts'
import { workerActor } from './actors/worker.ts'
import { Book } from './book.ts'
import type { Actor, Strike, Verdict } from './contract.ts'
import { judge } from './judge.ts'
import { CHAOS_METER_ID } from './meter.ts'
import { planStrikes } from './plan.ts'
import { seededRandom } from './random.ts'
import { startWorld, type World } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly durationMs: number
  /** Names of actors that take part; the world itself always does. Default: all. */
  readonly only?: readonly string[]
  readonly onStrike?: (strike: Strike) => void
  readonly onPhase?: (phase: string) => void
}

export interface ChaosResult extends Verdict {
  readonly seed: number
  readonly strikes: number
  /** Strikes by actor and kind. */
  readonly struck: Readonly<Record<string, number>>
  /** Receipts that promised nothing. */
  readonly inMemory: number
  /** Where databases, profiles and outboxes are, when something is wrong. */
  readonly folder?: string
}

/** The agents of a run: whoever records. */
function agentsOf(world: World, book: Book): Actor[] {
  const { origin, folder, proxy } = world
  const relay = proxy.url
  return [
    browserActor({
      name: 'browser',
      account: 'browser',
      profile: join(folder, 'browser'),
      origin,
      relayUrl: relay,
      book,
    }),
    nodeActor({
      ...{ name: 'node', account: 'node', folder: join(folder, 'node'), relay, book },
      tokenUrl: `${origin}/token/node`,
    }),
    workerActor({
      ...{ name: 'worker', folder: join(folder, 'worker'), bindings: world.workerBindings, book },
      hasArrived: (id) => world.zuora.ledger.has(CHAOS_METER_ID, id),
    }),
  ]
}

/**
 * Lets everything go wrong for a while, then lets it come to rest, and holds the ledgers against each other.
 * Two runs with one seed get the same strikes at the same times; what the machine makes of them differs.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, durationMs, only, onPhase = () => {} } = options
  const random = seededRandom(seed)
  const book = new Book()
  const world = await startWorld(seed)
  const agents = agentsOf(world, book).filter(({ name }) => only?.includes(name) ?? true)
  const actors = [...agents, world.relay, networkActor(world.proxy), upstreamActor(world.zuora)]
  let verdict: Verdict | undefined
  try {
    await Promise.all(agents.map((agent) => agent.start()))
    const plan = planStrikes({ durationMs, actors, random: random.fork('plan') })
    onPhase(`${plan.length} strikes in ${Math.round(durationMs / 1_000)} s`)
    await carryOut(plan, actors, options)
    onPhase('coming to rest')
    const restless = await comeToRest(world, actors, agents)
    verdict = withProblems(await hearAll(world, book), restless)
    const struck = countStrikes(plan)
    const folder = verdict.ok ? {} : { folder: world.folder }
    return { ...verdict, seed, strikes: plan.length, struck, inMemory: book.inMemory, ...folder }
  } finally {
    await Promise.allSettled(agents.map((agent) => agent.stop()))
    await world.close(verdict?.ok === false)
  }
}

/** Each actor takes its strikes one after the other; different actors' overlap. */
async function carryOut(plan: readonly Strike[], actors: readonly Actor[], options: ChaosOptions): Promise<void> {
  const startMs = performance.now()
  const byActor = Map.groupBy(plan, ({ actor }) => actor)
  const runs = actors.map(async (actor) => {
    for (const strike of byActor.get(actor.name) ?? []) {
      await pause(Math.max(0, strike.atMs - (performance.now() - startMs)))
      options.onStrike?.(strike)
      await actor.strike(strike.kind, seededRandom(strike.seed))
    }
  })
  await Promise.all(runs)
  await pause(Math.max(0, options.durationMs - (performance.now() - startMs)))
}

/** Makes everything whole and waits until nothing is on its way; who does not come to rest, as sentences. */
async function comeToRest(world: World, actors: readonly Actor[], agents: readonly Actor[]): Promise<string[]> {
  const { relay } = world
  for (const actor of actors) if (!agents.includes(actor)) await actor.settle()
  const settled = await Promise.allSettled(agents.map((agent) => agent.settle()))
  const empty = untilEmpty('relay', async () => ({ waiting: await relay.onTheWay(), trouble: undefined }))
  settled.push(...(await Promise.allSettled([empty])))
  return settled.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []))
}

function withProblems(verdict: Verdict, problems: readonly string[]): Verdict {
  return { ...verdict, ok: verdict.ok && problems.length === 0, problems: [...problems, ...verdict.problems] }
}

/** Nothing is on its way any more: stops the relay and reads all books. */
async function hearAll({ relay, zuora }: World, book: Book): Promise<Verdict> {
  await relay.stop()
  const { ledger, refused, problems } = await relay.autopsy()
  const upstream = [...zuora.ledger.events(CHAOS_METER_ID)].map(({ UsageIdentifier }) => String(UsageIdentifier))
  const buried = new Set(book.buried.keys())
  return withProblems(
    judge({ promised: book.promised.keys(), buried, refused: new Set(refused), ledger, upstream }),
    problems,
  )
}

function countStrikes(plan: readonly Strike[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { actor, kind } of plan) counts[`${actor}: ${kind}`] = (counts[`${actor}: ${kind}`] ?? 0) + 1
  return counts
}
