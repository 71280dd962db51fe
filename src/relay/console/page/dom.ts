type Child = Node | string | undefined
type Props = Readonly<Record<string, string | number | boolean | ((event: Event) => void) | undefined>>

/**
 * Makes an element: functions become listeners (`onclick`), true an empty attribute; false and undefined leave it out.
 * Text is only ever text.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value)
    else if (value === true) made.setAttribute(name, '')
    else if (value !== undefined && value !== false) made.setAttribute(name, String(value))
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}

/** A number as a cell: aligned to the right. */
export function figure(text: string, props: Props = {}): HTMLTableCellElement {
  return el('td', { class: 'figure', ...props }, text)
}

/** Head of a table: names, those of figures with a leading '#'. */
export function head(...names: readonly string[]): HTMLTableSectionElement {
  const cells = names.map((name) =>
    el('th', { scope: 'col', class: name.startsWith('#') ? 'figure' : undefined }, name.replace('#', '')),
  )
  return el('thead', {}, el('tr', {}, ...cells))
}

/** A table that scrolls by itself where the window is narrow; it can be reached by keyboard for that. */
export function table(caption: string, header: HTMLElement, body: HTMLElement): HTMLElement {
  const scroller = { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': caption }
  return el('div', scroller, el('table', {}, el('caption', {}, caption), header, body))
}

/** A part of the page under a heading. */
export function section(id: string, title: string, ...children: readonly Child[]): HTMLElement {
  return el('section', { id, 'aria-labelledby': `${id}-title` }, el('h2', { id: `${id}-title` }, title), ...children)
}

/** Says it to everybody, also to those who do not see the page. */
export function tell(text: string): void {
  const news = document.querySelector('#news')
  if (news !== null) news.textContent = text
}
