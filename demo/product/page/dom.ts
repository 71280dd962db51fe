/** The page's element with this id. Throws when there is none: a slip in index.html. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no element #${id}.`)
  return found as T
}

/** Writes only what changed, so that screen readers and selections are left in peace. */
export function setText(id: string, text: string): HTMLElement {
  const element = byId(id)
  if (element.textContent !== text) element.textContent = text
  return element
}

/** Runs the handler on a click and reports what it throws; the button is off meanwhile. */
export function onClick(id: string, handler: () => void | Promise<void>): void {
  const button = byId<HTMLButtonElement>(id)
  button.addEventListener('click', async () => {
    button.disabled = true
    try {
      await handler()
    } catch (error) {
      say(`That did not work: ${(error as Error).message}`, true)
    } finally {
      button.disabled = false
    }
  })
}

/** Tells the user, screen readers too. */
export function say(text: string, isBad = false): void {
  setText('message', text).classList.toggle('bad', isBad)
}

export function whole(value: number): string {
  return value.toLocaleString('en')
}
