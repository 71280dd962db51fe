import { setTimeout as delay } from 'node:timers/promises'
import { onStage, type Stage } from './stage.ts'
import type { Library } from './subjects.ts'

export interface FateTimes {
  readonly outageMs: number
  /** From the last event to the kill: what a library writes lazily has so long, and so has Chromium's own localStorage. */
  readonly killedAfterMs: number
  /** How long a library has in place after the fate, and once more on the next visit. */
  readonly patienceMs: number
}

export const FATE_TIMES: Readonly<Record<'quick' | 'full', FateTimes>> = {
  quick: { outageMs: 20_000, killedAfterMs: 3_000, patienceMs: 15_000 },
  full: { outageMs: 120_000, killedAfterMs: 15_000, patienceMs: 90_000 },
}

/** What may happen to a page that records. */
export interface Fate {
  readonly name: string
  strike(stage: Stage, times: FateTimes): Promise<void>
}

const EVENTS = 100
const PER_SECOND = 50
const OUTAGE_PER_SECOND = 5
const ANSWERS_LOST = 3

export const FATES: readonly Fate[] = [
  {
    name: 'killed while offline',
    async strike(stage, { killedAfterMs }) {
      await stage.setOffline(true)
      await stage.sink.down()
      await stage.record(EVENTS, PER_SECOND)
      await delay(killedAfterMs)
      await stage.kill()
      await stage.sink.up()
    },
  },
  {
    name: 'tab closed at once',
    async strike(stage) {
      await stage.recordAndClose(EVENTS)
      await delay(1_000)
    },
  },
  {
    name: 'answers lost',
    async strike(stage, { patienceMs }) {
      stage.sink.loseAnswers(ANSWERS_LOST)
      await stage.record(EVENTS, PER_SECOND)
      await stage.waitForAll(patienceMs)
      // What was stored and not answered is sent again after a while.
      await delay(patienceMs / 2)
    },
  },
  {
    name: 'outage',
    async strike(stage, { outageMs, patienceMs }) {
      await stage.sink.down()
      await stage.record((outageMs / 1_000) * OUTAGE_PER_SECOND, OUTAGE_PER_SECOND)
      await stage.sink.up()
      await stage.waitForAll(patienceMs)
    },
  },
]

export interface FateResult {
  readonly library: string
  readonly fate: string
  readonly recorded: number
  readonly delivered: number
  readonly lost: number
  /** Arrived under two ids, or without one: nobody can tell. For metertap, what its relay holds beyond what was recorded. */
  readonly doubled: number
  /** Arrived again under the same id: a back end that keeps ids throws them away. */
  readonly resent: number
  /** Why it could not be played to its end. */
  readonly failure?: string
}

/** As meet(); what breaks becomes the result, so that the others are not lost. */
export function tryToMeet(library: Library, fate: Fate, times: FateTimes): Promise<FateResult> {
  return meet(library, fate, times).catch((error: unknown) => ({
    ...{ library: library.name, fate: fate.name, failure: (error as Error).message },
    ...{ recorded: 0, delivered: 0, lost: 0, doubled: 0, resent: 0 },
  }))
}

/** One library, one fate; then the next visit, with one more event, so that whatever waits for one gets its chance. */
function meet(library: Library, fate: Fate, times: FateTimes): Promise<FateResult> {
  return onStage(library, async (stage) => {
    await fate.strike(stage, times)
    await stage.nextVisit()
    await stage.waitForAll(times.patienceMs)
    const { recorded } = stage
    const { delivered, doubled, resent, unread } = stage.sink.arrivals
    if (unread.length > 0) throw new Error(`${library.name}: the sink did not understand ${unread[0]}`)
    const beyond = stage.relay ? (await stage.relay.received()) - delivered : 0
    return {
      library: library.name,
      fate: fate.name,
      ...{ recorded, delivered, resent },
      lost: recorded - delivered,
      doubled: doubled + beyond,
    }
  })
}
