import type { RelayDeadLetter } from '../../store/contract.ts'
import { ask } from './ask.ts'
import { el, figure, head, section, table, tell } from './dom.ts'
import { createEditDialog } from './edit-dialog.ts'
import { count, time } from './format.ts'

export interface ShownLetter extends Omit<RelayDeadLetter, 'data'> {
  readonly data: unknown
}

export interface DeadLetters {
  readonly root: HTMLElement
  refresh(): Promise<void>
  /** False while somebody works in the list: nothing moves under their hands. */
  isIdle(): boolean
}

const PAGE = 50

/** What the upstream refused: look, edit, replay. */
export function createDeadLetters(onChange: () => void): DeadLetters {
  const body = el('tbody', { id: 'letter-rows' })
  const empty = el('p', { class: 'quiet' }, 'There are none.')
  const replay = el('button', { type: 'button', class: 'main', onclick: () => void replayChosen() }, 'Replay selected')
  const older = el('button', { type: 'button', onclick: () => void load(true) }, 'Show older')
  const renew = el('button', { type: 'button', onclick: () => void load() }, 'Refresh')
  const all = el('input', { type: 'checkbox', 'aria-label': 'Select all shown', onchange: () => chooseAll() })
  const dialog = createEditDialog(async () => {
    await load()
    onChange()
  })
  const list = table('Dead letters, the newest first', headOf(all), body)
  const root = section(
    'dead-letters',
    'Dead letters',
    el('p', { class: 'quiet' }, 'A replayed event keeps its id: the upstream bills it once.'),
    el('p', { class: 'buttons' }, replay, renew),
    list,
    empty,
    el('p', {}, older),
    dialog.root,
  )
  let letters: ShownLetter[] = []
  const boxes = (): HTMLInputElement[] => [...body.querySelectorAll<HTMLInputElement>('input[type=checkbox]')]
  const chosen = (): number[] => boxes().flatMap((box) => (box.checked ? [Number(box.value)] : []))

  function noteChoice(): void {
    const ids = chosen()
    replay.disabled = ids.length === 0
    replay.textContent = ids.length === 0 ? 'Replay selected' : `Replay selected (${ids.length})`
    all.checked = ids.length > 0 && ids.length === boxes().length
  }

  function chooseAll(): void {
    for (const box of boxes()) box.checked = all.checked
    noteChoice()
  }

  async function load(more = false): Promise<void> {
    const before = more ? `&before=${letters.at(-1)?.id}` : ''
    const path = `/v1/dead-letters?limit=${PAGE}${before}`
    const { deadLetters } = await ask<{ deadLetters: ShownLetter[] }>('GET', path)
    letters = more ? [...letters, ...deadLetters] : deadLetters
    body.replaceChildren(...letters.map((letter) => rowOf(letter, noteChoice, dialog.open)))
    empty.hidden = letters.length > 0
    list.hidden = letters.length === 0
    older.hidden = deadLetters.length < PAGE
    noteChoice()
  }

  async function replayChosen(): Promise<void> {
    const ids = chosen()
    try {
      const { replayed } = await ask<{ replayed: number }>('POST', '/v1/dead-letters/replay', { ids })
      const left = ids.length - replayed
      tell(`${count(replayed)} replayed.${left > 0 ? ` ${count(left)} must be edited first, or are gone.` : ''}`)
      await load()
      onChange()
      renew.focus()
    } catch (error) {
      tell((error as Error).message)
    }
  }

  return {
    root,
    refresh: () => load(),
    isIdle: () => chosen().length === 0 && letters.length <= PAGE && !root.contains(document.activeElement),
  }
}

function headOf(all: HTMLInputElement): HTMLElement {
  const row = head('', 'Event', 'Meter', 'Account', 'Reason', 'Data', '#Died', 'Action')
  row.querySelector('th')?.replaceWith(el('td', {}, all))
  return row
}

function rowOf(letter: ShownLetter, onChoice: () => void, edit: (letter: ShownLetter) => void): HTMLElement {
  const id = `${letter.stream}-${letter.seq}`
  const box = el('input', { type: 'checkbox', value: letter.id, 'aria-label': `Select ${id}`, onchange: onChoice })
  const button = el('button', { type: 'button', 'aria-label': `Edit ${id}`, onclick: () => edit(letter) }, 'Edit')
  return el(
    'tr',
    { 'data-event': id },
    el('td', {}, box),
    el('th', { scope: 'row', class: 'id' }, id),
    el('td', {}, letter.meter),
    el('td', {}, letter.account),
    el('td', {}, `${letter.code}: ${letter.detail}${letter.needsEdit ? ' (edit it first)' : ''}`),
    el('td', {}, el('code', {}, JSON.stringify(letter.data))),
    figure(time(letter.diedAtMs)),
    el('td', {}, button),
  )
}
