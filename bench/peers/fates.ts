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
  /** How long strike() takes at most, when the page answers. */
  lastsMs(times: FateTimes): number
  strike(stage: Stage, times: FateTimes): Promise<void>
}

const EVENTS = 100
const PER_SECOND = 50
const OUTAGE_PER_SECOND = 5
const CLOSED_FOR_MS = 1_000
const ANSWERS_LOST = 3
const RECORDING_MS = (EVENTS / PER_SECOND) * 1_000
/** For what has no time of its own: browsers that start, pages that load, on a machine where others do so too. */
const SLACK_MS = 45_000

export const FATES: readonly Fate[] = [
  {
    name: 'killed while offline',
    lastsMs: ({ killedAfterMs }) => RECORDING_MS + killedAfterMs,
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
    lastsMs: () => CLOSED_FOR_MS,
    async strike(stage) {
      await stage.recordAndClose(EVENTS)
      await delay(CLOSED_FOR_MS)
    },
  },
  {
    name: 'answers lost',
    lastsMs: ({ patienceMs }) => RECORDING_MS + patienceMs * 1.5,
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
    lastsMs: ({ outageMs, patienceMs }) => outageMs + patienceMs,
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

/** How long one library's fate may take, with the next visit; then it is cut off. */
export function limitOf(fate: Fate, times: FateTimes): number {
  return fate.lastsMs(times) + times.patienceMs + SLACK_MS
}

/** As meet(); what breaks becomes the result, so that the others are not lost. */
export function tryToMeet(library: Library, fate: Fate, times: FateTimes): Promise<FateResult> {
  return meet(library, fate, times).catch((error: unknown) => ({
    ...{ library: library.name, fate: fate.name, failure: (error as Error).message },
    ...{ recorded: 0, delivered: 0, lost: 0, doubled: 0, resent: 0 },
  }))
}

interface Known {
  readonly recorded: number
  readonly delivered: number
  readonly doubled: number
  /** What the relay behind the sink holds; undefined where there is none. */
  readonly received: number | undefined
}

/** With a relay behind the sink, that one has the last word: what it does not hold is lost, what it holds beyond is doubled. */
export function outcomeOf({ recorded, delivered, doubled, received = delivered }: Known) {
  return { lost: recorded - Math.min(delivered, received), doubled: doubled + Math.max(0, received - delivered) }
}

/** One library, one fate; then the next visit, with one more event, so that whatever waits for one gets its chance. */
function meet(library: Library, fate: Fate, times: FateTimes): Promise<FateResult> {
  return onStage(library, limitOf(fate, times), async (stage) => {
    await fate.strike(stage, times)
    await stage.nextVisit()
    await stage.waitForAll(times.patienceMs)
    const { recorded } = stage
    const { delivered, doubled, resent, unread } = stage.sink.arrivals
    if (unread.length > 0) throw new Error(`${library.name}: the sink did not understand ${unread[0]}`)
    const received = await stage.relay?.received()
    return {
      library: library.name,
      fate: fate.name,
      ...{ recorded, delivered, resent },
      ...outcomeOf({ recorded, delivered, doubled, received }),
    }
  })
}
