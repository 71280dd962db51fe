import { button, make, setText } from './dom.ts'

export interface Tab {
  readonly id: string
  readonly label: string
  readonly content: HTMLElement
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 }

/** Tabs by the book: one stop of the Tab key, arrows between them, Home and End. */
export class Tabs {
  readonly element: HTMLElement
  readonly #tabs: readonly Tab[]
  readonly #buttons: readonly HTMLButtonElement[]
  readonly #panels: readonly HTMLElement[]
  readonly #onSelect: () => void
  #selected = 0

  constructor(label: string, tabs: readonly Tab[], onSelect: () => void) {
    this.#tabs = tabs
    this.#onSelect = onSelect
    this.#buttons = tabs.map(({ id, label }, index) =>
      button(label, () => this.#choose(index), { role: 'tab', id: `tab-${id}`, 'aria-controls': `panel-${id}` }),
    )
    this.#panels = tabs.map(({ id, content }) =>
      make('div', { role: 'tabpanel', id: `panel-${id}`, 'aria-labelledby': `tab-${id}`, tabindex: '0' }, content),
    )
    const list = make('div', { role: 'tablist', 'aria-label': label }, ...this.#buttons)
    list.addEventListener('keydown', (event) => this.#hear(event))
    this.element = make('div', { class: 'tabs' }, list, ...this.#panels)
    this.#select(0)
  }

  get selected(): string {
    return this.#tabs[this.#selected]?.id ?? ''
  }

  label(id: string, text: string): void {
    const found = this.#buttons[this.#tabs.findIndex((tab) => tab.id === id)]
    if (found) setText(found, text)
  }

  #select(selected: number): void {
    this.#selected = selected
    this.#buttons.forEach((tab, index) => {
      tab.setAttribute('aria-selected', String(index === selected))
      tab.tabIndex = index === selected ? 0 : -1
    })
    this.#panels.forEach((panel, index) => {
      panel.hidden = index !== selected
    })
  }

  #choose(index: number): void {
    this.#select(index)
    this.#onSelect()
  }

  #hear(event: KeyboardEvent): void {
    const last = this.#buttons.length - 1
    const step = STEPS[event.key]
    let next: number
    if (event.key === 'Home') next = 0
    else if (event.key === 'End') next = last
    else if (step !== undefined) next = (this.#selected + step + last + 1) % (last + 1)
    else return
    event.preventDefault()
    this.#choose(next)
    this.#buttons[next]?.focus()
  }
}
