import type { Pace } from '../browser/drive.ts'

/** What is recorded, and how often it is measured. */
export interface AgentCase {
  readonly name: string
  readonly events: number
  readonly pace: Pace
  readonly rounds: number
  /** Further rounds under a trace, for the longest task and the heap. */
  readonly observedRounds: number
  readonly timeoutMs: number
  /** Events that the page has sent before. */
  readonly warmUpEvents: number
}

const PER_SECOND = 50

function burst(events: number, rounds: number, observedRounds: number): AgentCase {
  const name = `burst of ${events.toLocaleString('en')}`
  return { name, events, pace: { kind: 'burst' }, rounds, observedRounds, timeoutMs: 60_000, warmUpEvents: 0 }
}

/** The same on a page that has sent before: nothing is loaded, opened or compiled in the meantime. */
function warm(each: AgentCase): AgentCase {
  return { ...each, name: `${each.name}, warm`, observedRounds: 0, warmUpEvents: each.events }
}

function steady(seconds: number, rounds: number, observedRounds: number): AgentCase {
  const name = `${PER_SECOND} a second for ${seconds} s`
  const pace = { kind: 'steady', perSecond: PER_SECOND } as const
  return { name, events: PER_SECOND * seconds, pace, rounds, observedRounds, timeoutMs: 20_000, warmUpEvents: 0 }
}

/** Rare long cases get fewer rounds, so that the whole stays within a coffee break. */
export function casesOf(quick: boolean, rounds: number): AgentCase[] {
  const big = burst(5_000, rounds, quick ? 1 : Math.min(rounds, 3))
  if (quick) return [big, warm(big), burst(100_000, 1, 1), steady(10, 1, 0)]
  const few = Math.min(rounds, 3)
  const small = [burst(1, rounds, few), burst(100, rounds, few)]
  return [...small, big, warm(big), burst(100_000, few, few), steady(60, few, 1)]
}
