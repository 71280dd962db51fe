import type { AgentStats } from '../../agent/stats.ts'
import { describeFacts, whole } from '../describe.ts'
import { make, setAttribute, setText } from './dom.ts'

type Figure = readonly [label: string, note: string, value: (stats: AgentStats) => number]

const FIGURES: readonly Figure[] = [
  ['Recorded', 'here', ({ recorded }) => recorded],
  ['On disk', 'all tabs', ({ waiting }) => waiting],
  ['In flight', 'of those', ({ inFlight }) => inFlight],
  ['Accepted', 'by relay', ({ accepted }) => accepted],
  ['Dead', 'letters', ({ deadLetters }) => deadLetters],
]

export interface Figures {
  readonly element: HTMLElement
  show(stats: AgentStats, nowMs: number): void
}

/** The five figures, and the facts below them. */
export function makeFigures(): Figures {
  const numbers = FIGURES.map(() => make('dd'))
  const figures = FIGURES.map(([label, note], index) =>
    make('div', {}, make('dt', {}, label, ' ', make('small', {}, note)), numbers[index] as HTMLElement),
  )
  const facts = make('dl', { class: 'facts' })
  const values = new Map<string, HTMLElement>()

  const showFact = (name: string, text: string): void => {
    let value = values.get(name)
    if (!value) {
      value = make('dd')
      values.set(name, value)
      facts.append(make('div', {}, make('dt', {}, name), value))
    }
    setText(value, text)
    if (value.parentElement) value.parentElement.hidden = text === ''
  }
  return {
    element: make('div', {}, make('dl', { class: 'figures' }, ...figures), facts),
    show(stats, nowMs) {
      FIGURES.forEach(([label, , read], index) => {
        const value = read(stats)
        setText(numbers[index] as HTMLElement, whole(value))
        setAttribute(figures[index] as HTMLElement, 'class', label === 'Dead' && value > 0 ? 'bad' : '')
      })
      for (const [name, text] of Object.entries(describeFacts(stats, nowMs))) showFact(name, text)
    },
  }
}
