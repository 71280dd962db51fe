import { ACTIONS } from '../actions.ts'
import type { AgentWatch } from '../agent-watch.ts'
import { OFFLINE } from '../describe.ts'
import { button, make, setAttribute } from './dom.ts'

export type Act = (action: (watch: AgentWatch) => Promise<string>) => void

export interface Part {
  readonly element: HTMLElement
  show(watch: AgentWatch): void
}

/** The offline switch, flush and report. */
export function makeControls(act: Act): Part {
  const knob = make('span', { class: 'knob', 'aria-hidden': 'true' })
  const offline = button('', () => act(ACTIONS.offline), { role: 'switch', 'aria-checked': 'false' })
  offline.append(knob, 'Offline')
  const flush = button('Flush now', () => act(ACTIONS.flush))
  const report = button('Export report', () => act(ACTIONS.report))
  return {
    element: make('div', { class: 'controls' }, offline, flush, report),
    show: ({ stats }) => setAttribute(offline, 'aria-checked', String(stats.pausedBy.includes(OFFLINE))),
  }
}

/** What can be done with dead letters; `onData` is told whether their data is to be seen. */
export function makeLetterControls(act: Act, onData: (isShown: boolean) => void): Part {
  const data = button('Show data', () => {
    const isShown = data.getAttribute('aria-pressed') !== 'true'
    data.setAttribute('aria-pressed', String(isShown))
    onData(isShown)
  })
  data.setAttribute('aria-pressed', 'false')
  const again = button('Send all again', () => act(ACTIONS.retryLetters))
  const save = button('Export NDJSON', () => act(ACTIONS.exportLetters))
  const element = make('div', { class: 'controls', hidden: '' }, again, save, data)
  return {
    element,
    show({ letters }) {
      element.hidden = letters.length === 0
    },
  }
}
