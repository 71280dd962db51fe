import type { Actor, Strike } from './contract.ts'
import type { Random } from './random.ts'

export interface PlanOptions {
  readonly durationMs: number
  readonly actors: readonly Pick<Actor, 'name' | 'strikes'>[]
  readonly random: Random
  /** Mean time between two strikes, of all actors together. Default 1,500. */
  readonly meanGapMs?: number
}

const UINT32_MAX = 2 ** 32 - 1

/** Who is struck when, and with what: the same for the same seed, whatever the machine does. */
export function planStrikes({ durationMs, actors, random, meanGapMs = 1_500 }: PlanOptions): Strike[] {
  const struck = actors.filter(({ strikes }) => strikes.length > 0)
  const plan: Strike[] = []
  let atMs = 0
  for (;;) {
    // Exponential gaps: strikes come in bursts, too.
    atMs += Math.max(1, Math.round(-Math.log(1 - random.next()) * meanGapMs))
    if (atMs >= durationMs || struck.length === 0) return plan
    const actor = random.pick(struck)
    plan.push({ atMs, actor: actor.name, kind: random.pick(actor.strikes), seed: random.whole(0, UINT32_MAX) })
  }
}
