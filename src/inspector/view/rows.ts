import { make } from './dom.ts'

/** A list whose rows stay the same elements as long as their keys do. */
export class Rows<Item> {
  readonly element: HTMLElement
  readonly #rows = new Map<unknown, HTMLElement>()
  readonly #empty: HTMLElement
  readonly #list: HTMLElement
  readonly #keyOf: (item: Item) => unknown
  readonly #fill: (row: HTMLElement, item: Item) => void

  /** `fill` is given a row that is new and empty, or one that it filled before. */
  constructor(empty: string, keyOf: (item: Item) => unknown, fill: (row: HTMLElement, item: Item) => void) {
    this.#keyOf = keyOf
    this.#fill = fill
    this.#empty = make('p', { class: 'empty' }, empty)
    this.#list = make('ol', { class: 'rows' })
    this.element = make('div', {}, this.#empty, this.#list)
  }

  show(items: readonly Item[]): void {
    const gone = new Set(this.#rows.keys())
    let place: Element | null = this.#list.firstElementChild
    for (const item of items) {
      const key = this.#keyOf(item)
      gone.delete(key)
      const row = this.#rows.get(key) ?? make('li')
      this.#rows.set(key, row)
      this.#fill(row, item)
      if (row === place) place = row.nextElementSibling
      else this.#list.insertBefore(row, place)
    }
    for (const key of gone) {
      this.#rows.get(key)?.remove()
      this.#rows.delete(key)
    }
    this.#empty.hidden = items.length > 0
    this.#list.hidden = items.length === 0
  }
}

/** Writes a row's cells, each with its class; makes them the first time. */
export function fillCells(row: HTMLElement, cells: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(cells)) {
    let cell = row.querySelector(`.${name}`)
    if (!cell) {
      cell = make(name === 'id' ? 'code' : 'span', { class: name })
      row.append(cell, ' ')
    }
    if (cell.textContent !== text) cell.textContent = text
  }
}
