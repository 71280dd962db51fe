import type { AgentWatch } from '../agent-watch.ts'
import { describeState, whole } from '../describe.ts'
import { button, make, setAttribute, setText } from './dom.ts'

export interface Head {
  readonly element: HTMLElement
  readonly toggle: HTMLButtonElement
  show(watch: AgentWatch | undefined, isOpen: boolean): void
  setAgents(names: readonly string[], selected: number): void
}

/** The panel's first line: what opens and closes it, a figure while it is closed, and whose figures these are. */
export function makeHead(onToggle: () => void, onAgent: (index: number) => void): Head {
  const dot = make('span', { class: 'dot', 'aria-hidden': 'true' })
  const brief = make('span', { class: 'brief' })
  const mark = make('span', { class: 'mark', 'aria-hidden': 'true' })
  const toggle = button('', onToggle, { class: 'toggle', 'aria-controls': 'body' })
  toggle.append(dot, make('span', { class: 'name' }, 'metertap'), ' ', brief, mark)
  const agents = make('select', { 'aria-label': 'Agent' })
  agents.addEventListener('change', () => onAgent(agents.selectedIndex))
  return {
    element: make('div', { class: 'head' }, toggle, agents),
    toggle,
    show(watch, isOpen) {
      setAttribute(toggle, 'aria-expanded', String(isOpen))
      setAttribute(dot, 'class', `dot ${watch ? describeState(watch.stats).mood : ''}`)
      const { recorded, waiting, storing, deadLetters } = watch?.stats ?? {}
      const dead = deadLetters ? `, ${whole(deadLetters)} dead` : ''
      const figures = `${whole(recorded ?? 0)} recorded, ${whole((waiting ?? 0) + (storing ?? 0))} waiting${dead}`
      setText(brief, isOpen || !watch ? 'inspector' : figures)
    },
    setAgents(names, selected) {
      agents.replaceChildren(...names.map((name) => make('option', {}, name)))
      agents.selectedIndex = selected
      agents.hidden = names.length < 2
    },
  }
}
