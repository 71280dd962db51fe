import type { EventState, EventStep, EventWay } from '../../operate/event-way.ts'
import { ask } from './ask.ts'
import { el, figure, head, section, table } from './dom.ts'
import { count, time } from './format.ts'

const STATES: Readonly<Record<EventState, string>> = {
  not_recorded: 'Not recorded yet, as far as this relay was told',
  missing: 'Not here: it may still be on its device',
  declared: 'Given up by its device, which said so',
  refused: 'Refused by this relay when it came',
  deduplicated: 'Received; another event had its idempotency key, so it is not forwarded',
  held: 'Received and on hold until you release its account',
  on_its_way: 'Received and on its way upstream',
  parked: 'Received; its delivery is parked and waits for your decision',
  forwarded: 'Forwarded: the upstream has accepted it',
  dead: 'Received and refused upstream: it is in the dead letters',
  discarded: 'Received, refused upstream, and deleted by an operator',
}

const STEPS: Readonly<Record<EventStep['step'], string>> = {
  stream_begun: 'Its stream began (clock of the device)',
  recorded: 'Recorded (clock of the device)',
  received: 'Received',
  dead: 'Refused upstream',
  parked: 'Parked',
}

/** An event's way, by its id. */
export function createSearch(): { readonly root: HTMLElement } {
  const id = el('input', { id: 'event-id', type: 'search', required: true, spellcheck: 'false', autocomplete: 'off' })
  const result = el('div', { id: 'event-way', role: 'region', 'aria-live': 'polite', 'aria-label': 'The event’s way' })
  const find = async (event: Event): Promise<void> => {
    event.preventDefault()
    const path = `/v1/events/${encodeURIComponent(id.value.trim())}`
    try {
      const { ways } = await ask<{ ways: EventWay[] }>('GET', path)
      result.replaceChildren(...ways.flatMap(showWay))
    } catch (error) {
      result.replaceChildren(el('p', { class: 'problem' }, (error as Error).message))
    }
  }
  const form = el(
    'form',
    { class: 'search', role: 'search', onsubmit: (event) => void find(event) },
    el('label', { for: 'event-id' }, 'Event id'),
    id,
    el('button', { type: 'submit', class: 'main' }, 'Find'),
  )
  return { root: section('search', 'Find an event', form, result) }
}

function showWay(way: EventWay): HTMLElement[] {
  const [first, ...others] = way.states
  const verdict =
    others.length === 0
      ? first === undefined
        ? 'Not known'
        : STATES[first]
      : 'One of these; the relay counts streams, not each event'
  return [
    el('h3', {}, `${way.account}, device ${way.device}`),
    el('p', { class: 'verdict' }, verdict),
    ...(others.length === 0 ? [] : [el('ul', {}, ...way.states.map((state) => el('li', {}, STATES[state])))]),
    el('ol', { class: 'way' }, ...way.steps.map(showStep)),
    ...(way.deadLetter === undefined ? [] : [el('pre', { tabindex: 0 }, JSON.stringify(way.deadLetter.data, null, 2))]),
    streamTable(way),
  ]
}

function showStep({ step, atMs, fromMs, untilMs, detail }: EventStep): HTMLElement {
  const when =
    atMs !== undefined
      ? time(atMs)
      : fromMs === undefined || untilMs === undefined
        ? 'when is not known'
        : fromMs === untilMs
          ? time(fromMs)
          : `between ${time(fromMs)} and ${time(untilMs)}`
  return el('li', {}, el('b', {}, STEPS[step]), ` ${when}`, detail === undefined ? undefined : el('br'), detail)
}

function streamTable({ stream }: EventWay): HTMLElement {
  const { recorded, received, forwarded, dead, held, missing } = stream
  const figures = [recorded, received, forwarded, dead, held, missing]
  const names = ['#Recorded', '#Received', '#Forwarded', '#Dead', '#On hold', '#Missing']
  const row = el('tr', {}, ...figures.map((value) => figure(count(value))))
  return table(`Its stream, ${stream.stream}`, head(...names), el('tbody', {}, row))
}
