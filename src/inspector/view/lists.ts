import type { DeadLetter } from '../../outbox/contract.ts'
import type { AgentWatch } from '../agent-watch.ts'
import type { Entry, Run } from '../contract.ts'
import { clockTime, count, describeEntry, describeRun, idsOf } from '../describe.ts'
import { deadIn } from '../runs.ts'
import { setAttribute } from './dom.ts'
import { fillCells, Rows } from './rows.ts'

export interface List {
  readonly element: HTMLElement
  show(watch: AgentWatch): void
}

export function makeTimeline(): List {
  const rows = new Rows<Entry>(
    'Nothing yet: flushes and what came of them will stand here.',
    ({ key }) => key,
    (row, entry) => {
      setAttribute(row, 'class', `line ${entry.kind}`)
      fillCells(row, { time: clockTime(entry.atMs), kind: entry.kind, what: describeEntry(entry) })
    },
  )
  return { element: rows.element, show: (watch) => rows.show(watch.entries) }
}

/** Each event by its id, those recorded together in one row, and how far they have come. */
export function makeEvents(): List {
  let watched: AgentWatch
  const rows = new Rows<Run>(
    'Nothing is recorded yet: ids and their way will stand here.',
    (run) => idsOf(run),
    (row, run) => {
      const { progress, stats } = watched
      const state = watched.stateOf(run)
      setAttribute(row, 'class', `run ${state}`)
      fillCells(row, {
        id: idsOf(run),
        time: clockTime(run.atMs),
        count: count(run.to - run.from + 1, 'event'),
        state: describeRun(state, stats.durability, deadIn(run, progress.dead).length),
      })
    },
  )
  return {
    element: rows.element,
    show(watch) {
      watched = watch
      rows.show(watch.runs)
    },
  }
}

const MAX_LETTERS = 50

export interface LetterList extends List {
  /** Shows, or hides, what the events hold and why the relay would not take them. */
  setData(isShown: boolean): void
}

/** Dead letters: id, meter and code; the rest only when it is asked for. */
export function makeLetters(): LetterList {
  let isDataShown = false
  const rows = new Rows<DeadLetter>(
    'No dead letters: the relay takes what it is sent.',
    ({ stream, seq }) => `${stream}-${seq}`,
    (row, { stream, seq, code, diedAtMs, event, detail }) => {
      const data = isDataShown ? `${detail}\n${event}` : ''
      setAttribute(row, 'class', 'run dead')
      const cells = { id: `${stream}-${seq}`, time: clockTime(diedAtMs), count: meterOf(event), state: code }
      fillCells(row, { ...cells, data })
    },
  )
  return {
    element: rows.element,
    show: (watch) => rows.show(watch.letters.slice(-MAX_LETTERS).reverse()),
    setData(isShown) {
      isDataShown = isShown
    },
  }
}

/** The name of the event's meter, the first thing in its text. */
function meterOf(event: string): string {
  try {
    return String((JSON.parse(event) as unknown[])[0])
  } catch {
    return 'unreadable'
  }
}
