import type { AgentWatch } from './agent-watch.ts'
import { describeState } from './describe.ts'
import { startTicker, type Ticker } from './ticker.ts'
import { makeControls, makeLetterControls } from './view/controls.ts'
import { make, setAttribute, setText } from './view/dom.ts'
import { makeFigures } from './view/figures.ts'
import { makeHead } from './view/head.ts'
import { makeEvents, makeLetters, makeTimeline } from './view/lists.ts'
import { Tabs } from './view/tabs.ts'

/** The panel: shows one of the agents that it was given. */
export class Panel {
  readonly element: HTMLElement
  #watches: readonly AgentWatch[] = []
  #current: AgentWatch | undefined
  #isOpen = true
  #ticker: Ticker | undefined
  readonly #head = makeHead(
    () => this.setOpen(!this.#isOpen),
    (index) => this.#select(this.#watches[index]),
  )
  readonly #state = make('p', { class: 'state', role: 'status' })
  readonly #note = make('p', { class: 'note', role: 'status' })
  readonly #figures = makeFigures()
  readonly #controls = makeControls((action) => void this.#act(action))
  readonly #letters = makeLetters()
  readonly #letterControls = makeLetterControls(
    (action) => void this.#act(action),
    (isShown) => {
      this.#letters.setData(isShown)
      this.ask()
    },
  )
  readonly #timeline = makeTimeline()
  readonly #events = makeEvents()
  readonly #tabs: Tabs
  readonly #body: HTMLElement

  constructor() {
    const letters = make('div', {}, this.#letterControls.element, this.#letters.element)
    const tabs = [
      { id: 'timeline', label: 'Timeline', content: this.#timeline.element },
      { id: 'events', label: 'Events', content: this.#events.element },
      { id: 'letters', label: 'Dead letters', content: letters },
    ]
    this.#tabs = new Tabs('Details', tabs, () => this.#paint())
    const above = [this.#state, this.#figures.element, this.#controls.element, this.#note]
    this.#body = make('div', { id: 'body', class: 'body' }, ...above, this.#tabs.element)
    this.element = make('section', { class: 'panel', 'aria-label': 'metertap inspector' })
    this.element.append(this.#head.element, this.#body)
    this.element.addEventListener('keydown', (event) => this.#hear(event))
  }

  /** The panel is in a page. */
  start(): void {
    this.#ticker ??= startTicker(() => this.#paint())
  }

  /** It is not, any more. */
  stop(): void {
    this.#ticker?.stop()
    this.#ticker = undefined
  }

  /** Shows, with the next frame, what is new. */
  ask(): void {
    this.#ticker?.ask()
  }

  setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen
    this.#paint()
  }

  get watches(): readonly AgentWatch[] {
    return this.#watches
  }

  setWatches(watches: readonly AgentWatch[]): void {
    this.#watches = watches
    const isGone = !this.#current || !watches.includes(this.#current)
    this.#select(isGone ? watches[0] : this.#current)
  }

  #select(watch: AgentWatch | undefined): void {
    this.#current = watch
    const names = this.#watches.map(({ name }) => name)
    this.#head.setAgents(names, watch ? this.#watches.indexOf(watch) : -1)
    setText(this.#note, '')
    this.#paint()
  }

  #paint(): void {
    for (const each of this.#watches) each.look()
    const watch = this.#current
    this.#head.show(watch, this.#isOpen)
    this.#body.hidden = !this.#isOpen
    if (!this.#isOpen) return
    for (const part of [this.#figures, this.#controls, this.#tabs]) part.element.hidden = !watch
    if (!watch) {
      setText(this.#state, 'No agent yet: call inspect(usage).')
      return
    }
    const { mood, text } = describeState(watch.stats)
    setText(this.#state, text)
    setAttribute(this.#state, 'class', `state ${mood}`)
    this.#figures.show(watch.stats, Date.now())
    this.#controls.show(watch)
    this.#showList(watch)
    void watch.read()
  }

  #showList(watch: AgentWatch): void {
    const { deadLetters } = watch.stats
    this.#tabs.label('letters', deadLetters > 0 ? `Dead letters (${deadLetters})` : 'Dead letters')
    this.#letterControls.show(watch)
    const { selected } = this.#tabs
    if (selected === 'timeline') this.#timeline.show(watch)
    else if (selected === 'events') this.#events.show(watch)
    else this.#letters.show(watch)
  }

  async #act(action: (watch: AgentWatch) => Promise<string>): Promise<void> {
    const watch = this.#current
    if (!watch) return
    let told: string
    try {
      told = await action(watch)
    } catch (error) {
      told = `That did not work: ${(error as Error).message}`
    }
    if (watch === this.#current) setText(this.#note, told)
    this.ask()
  }

  #hear(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || !this.#isOpen) return
    event.stopPropagation()
    this.setOpen(false)
    this.#head.toggle.focus()
  }
}
