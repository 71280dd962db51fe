import type { LaneStats } from '../../forward/contract.ts'
import type { LaneBacklog } from '../../store/contract.ts'
import { ask } from './ask.ts'
import { el, figure, head, section, table, tell } from './dom.ts'
import { count, span, time } from './format.ts'

export interface Lanes {
  readonly root: HTMLElement
  show(nowMs: number, lanes: readonly LaneBacklog[], forwarding: readonly LaneStats[]): void
}

interface Row {
  readonly root: HTMLElement
  show(nowMs: number, backlog: LaneBacklog | undefined, stats: LaneStats | undefined): void
}

const NUMBERS = ['Waiting', 'In delivery', 'Parked', 'Oldest', 'Calls', 'Accepted', 'Failures in a row', 'In flight']

/** What each lane does, how the upstream answers, and the lever that stops it. */
export function createLanes(onChange: () => void): Lanes {
  const health = el('p', { class: 'verdict', id: 'health' })
  const body = el('tbody', { id: 'lane-rows' })
  const rows = new Map<string, Row>()
  return {
    root: section(
      'lanes',
      'Upstream and lanes',
      health,
      table('Lanes', head('Lane', 'State', ...NUMBERS.map((name) => `#${name}`), 'Action'), body),
    ),
    show(nowMs, lanes, forwarding) {
      const names = [...new Set([...forwarding, ...lanes].map(({ lane }) => lane))].toSorted()
      for (const name of names) {
        let row = rows.get(name)
        if (row === undefined) {
          row = createRow(name, onChange)
          rows.set(name, row)
          body.append(row.root)
        }
        const backlog = lanes.find(({ lane }) => lane === name)
        row.show(
          nowMs,
          backlog,
          forwarding.find(({ lane }) => lane === name),
        )
      }
      const [text, isBad] = healthOf(lanes, forwarding)
      health.textContent = text
      health.classList.toggle('alarm', isBad)
    },
  }
}

/** Cells are changed in place: whoever stands on the button stays there. */
function createRow(lane: string, onChange: () => void): Row {
  const state = el('td')
  const numbers = NUMBERS.map(() => figure('–'))
  let isPaused = false
  const act = async (): Promise<void> => {
    button.disabled = true
    try {
      const path = `/v1/lanes/${encodeURIComponent(lane)}`
      if (isPaused) await ask('POST', `${path}/resume`)
      else await ask('POST', `${path}/pause`, { reason: 'paused in the console' })
      tell(`Lane ${lane} ${isPaused ? 'goes on' : 'is paused: events go on being taken'}.`)
      onChange()
    } catch (error) {
      tell((error as Error).message)
    }
    button.disabled = false
    button.focus()
  }
  const button = el('button', { type: 'button', onclick: () => void act() })
  const root = el(
    'tr',
    { 'data-lane': lane },
    el('th', { scope: 'row' }, lane),
    state,
    ...numbers,
    el('td', {}, button),
  )
  return {
    root,
    show(nowMs, backlog, stats) {
      isPaused = backlog?.paused !== undefined
      state.textContent = stateOf(nowMs, backlog, stats)
      state.className = isPaused || stats?.state === 'backing_off' ? 'alarm' : ''
      const label = isPaused ? 'Resume' : 'Pause'
      if (button.textContent !== label) button.textContent = label
      button.setAttribute('aria-label', `${label} lane ${lane}`)
      const oldest = backlog?.oldestReceivedAtMs
      const texts = [
        ...[backlog?.waiting ?? 0, backlog?.inDelivery ?? 0, backlog?.parked ?? 0].map(count),
        oldest === undefined ? '–' : span(nowMs - oldest),
        ...[stats?.calls ?? 0, stats?.accepted ?? 0, stats?.failuresInARow ?? 0].map(count),
        stats === undefined ? '–' : `${stats.inFlight} of ${stats.maxInFlight}`,
      ]
      for (const [at, text] of texts.entries()) (numbers[at] as HTMLElement).textContent = text
    },
  }
}

const STATES = { stopped: 'Stopped', idle: 'Idle', sending: 'Sending', backing_off: 'Backing off', paused: 'Paused' }

function stateOf(nowMs: number, backlog: LaneBacklog | undefined, stats: LaneStats | undefined): string {
  if (backlog?.paused !== undefined) return `Paused: ${backlog.paused.reason}, ${time(backlog.paused.sinceMs)}`
  if (stats === undefined) return 'No longer configured'
  const until = stats.resumesAtMs === undefined ? '' : `, goes on in ${span(stats.resumesAtMs - nowMs)}`
  return STATES[stats.state] + (stats.reason === undefined ? '' : `: ${stats.reason}`) + until
}

function healthOf(lanes: readonly LaneBacklog[], forwarding: readonly LaneStats[]): readonly [string, boolean] {
  const failing = forwarding.filter(({ state, failuresInARow }) => state === 'backing_off' || failuresInARow > 0)
  const paused = lanes.filter((lane) => lane.paused !== undefined)
  const isPaused = (name: string): boolean => paused.some(({ lane }) => lane === name)
  const holding = forwarding.filter(
    ({ lane, state, reason = '' }) =>
      state === 'paused' && reason !== '' && !isPaused(lane) && !isPaused(lane.replace(/:late$/, '')),
  )
  const parked = lanes.reduce((sum, lane) => sum + lane.parked, 0)
  const parts = [
    failing.length > 0
      ? `the upstream does not answer as it should on ${failing.map(({ lane }) => lane).join(', ')}`
      : '',
    ...holding.map(({ lane, reason }) => `${lane} keeps its queue: ${reason}`),
    paused.length > 0 ? `paused: ${paused.map(({ lane }) => lane).join(', ')}` : '',
    parked > 0 ? `parked, waiting for your decision: ${count(parked)}` : '',
  ].filter((part) => part !== '')
  if (parts.length > 0) return [`Look here: ${parts.join('; ')}.`, true]
  return ['The upstream answers, and no lane is held up.', false]
}
