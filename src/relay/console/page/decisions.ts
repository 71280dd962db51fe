import type { HeldEvents, ParkedDelivery, ParkedVerdict } from '../../store/contract.ts'
import { ask } from './ask.ts'
import { el, figure, head, section, table, tell } from './dom.ts'
import { count, time } from './format.ts'

export interface Decisions {
  readonly root: HTMLElement
  refresh(): Promise<void>
}

const VERDICTS: readonly (readonly [ParkedVerdict, label: string])[] = [
  ['accepted', 'The upstream has it'],
  ['resend', 'Send it again'],
  ['bury', 'Bury it'],
]

/** What goes on only when the operator says so: parked deliveries, and events on hold. Hidden while there is none. */
export function createDecisions(onChange: () => void): Decisions {
  const parkedRows = el('tbody', { id: 'parked-rows' })
  const heldRows = el('tbody', { id: 'held-rows' })
  const parked = el(
    'div',
    {},
    el('p', { class: 'quiet' }, 'The upstream may have these, and might not notice a second copy. Look there first.'),
    table('Parked deliveries', head('Lane', '#Events', '#Tries', 'First event', 'Why', '#Since', 'Decide'), parkedRows),
  )
  const held = el(
    'div',
    {},
    el('p', { class: 'quiet' }, 'Beyond a daily cap: stored and acknowledged, forwarded once you release the account.'),
    table('Events on hold', head('Account', 'Meter', '#Events', '#Since', 'Decide'), heldRows),
  )
  const root = section('decisions', 'Waiting for your decision', parked, held)
  root.hidden = true
  let last = ''

  function button(label: string, name: string, path: string, body: unknown, done: string): HTMLElement {
    const act = async (): Promise<void> => {
      try {
        await ask('POST', path, body)
        tell(done)
        onChange()
      } catch (error) {
        tell((error as Error).message)
      }
    }
    return el('button', { type: 'button', 'aria-label': `${label}: ${name}`, onclick: () => void act() }, label)
  }

  function parkedRow({ id, lane, rows, attempts, events, reason, parkedAtMs }: ParkedDelivery): HTMLElement {
    const [first = ''] = events
    const decide = ([verdict, label]: (typeof VERDICTS)[number]): HTMLElement =>
      button(label, first, `/v1/parked/${id}`, { verdict }, `Decided: ${label}.`)
    return el(
      'tr',
      { 'data-parked': id },
      el('th', { scope: 'row' }, lane),
      figure(count(rows)),
      figure(count(attempts)),
      el('td', { class: 'id' }, first),
      el('td', {}, reason),
      figure(time(parkedAtMs)),
      el('td', {}, el('p', { class: 'buttons' }, ...VERDICTS.map(decide))),
    )
  }

  function heldRow({ account, meter, events, sinceMs }: HeldEvents): HTMLElement {
    return el(
      'tr',
      { 'data-held': account },
      el('th', { scope: 'row' }, account),
      el('td', {}, meter),
      figure(count(events)),
      figure(time(sinceMs)),
      el('td', {}, button('Release', account, '/v1/held/release', { account }, `What ${account} had on hold goes on.`)),
    )
  }

  return {
    root,
    async refresh() {
      const [ofParked, ofHeld] = await Promise.all([
        ask<{ parked: ParkedDelivery[] }>('GET', '/v1/parked?limit=100'),
        ask<{ held: HeldEvents[] }>('GET', '/v1/held?limit=100'),
      ])
      // Nothing moves under somebody's hands while nothing has changed.
      const now = JSON.stringify([ofParked.parked, ofHeld.held])
      if (now === last) return
      last = now
      parkedRows.replaceChildren(...ofParked.parked.map(parkedRow))
      heldRows.replaceChildren(...ofHeld.held.map(heldRow))
      parked.hidden = ofParked.parked.length === 0
      held.hidden = ofHeld.held.length === 0
      root.hidden = parked.hidden && held.hidden
    },
  }
}
