import { ask } from './ask.ts'
import type { ShownLetter } from './dead-letters.ts'
import { el, tell } from './dom.ts'

export interface EditDialog {
  readonly root: HTMLElement
  open(letter: ShownLetter): void
}

/** Changes a dead letter's data; the relay checks it by the meter's schema. `onSaved` runs after each change. */
export function createEditDialog(onSaved: () => Promise<void>): EditDialog {
  const title = el('h3', { id: 'edit-title' })
  const reason = el('p', { class: 'quiet' })
  const data = el('textarea', { id: 'edit-data', rows: 10, spellcheck: 'false', 'aria-describedby': 'edit-problem' })
  const problem = el('p', { id: 'edit-problem', class: 'problem', role: 'alert' })
  let letter: ShownLetter | undefined

  async function save(replayToo: boolean): Promise<void> {
    if (letter === undefined) return
    try {
      const { id } = letter
      await ask('PATCH', `/v1/dead-letters/${id}`, { data: parse(data.value) })
      if (replayToo) await ask('POST', '/v1/dead-letters/replay', { ids: [id] })
      dialog.close()
      tell(replayToo ? 'Saved and replayed.' : 'Saved.')
      await onSaved()
    } catch (error) {
      problem.textContent = (error as Error).message
    }
  }

  const button = (text: string, act: () => unknown, kind = ''): HTMLElement =>
    el('button', { type: 'button', class: kind, onclick: () => void act() }, text)
  const dialog: HTMLDialogElement = el(
    'dialog',
    { 'aria-labelledby': 'edit-title' },
    title,
    reason,
    el('label', { for: 'edit-data' }, 'Data, as JSON'),
    data,
    problem,
    el(
      'p',
      { class: 'buttons' },
      button('Save and replay', () => save(true), 'main'),
      button('Save', () => save(false)),
      button('Cancel', () => dialog.close()),
    ),
  )
  return {
    root: dialog,
    open(chosen) {
      letter = chosen
      title.textContent = `Edit ${chosen.stream}-${chosen.seq}`
      reason.textContent = `${chosen.meter}, refused with ${chosen.code}: ${chosen.detail}`
      data.value = JSON.stringify(chosen.data, null, 2)
      problem.textContent = ''
      dialog.showModal()
      data.focus()
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`This is not JSON: ${(error as Error).message}`)
  }
}
