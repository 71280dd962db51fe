import { MetertapError } from '../wire/errors.ts'
import { AgentWatch } from './agent-watch.ts'
import type { Inspected, Inspection, InspectOptions } from './contract.ts'
import { OFFLINE } from './describe.ts'
import { defineElement, type InspectorElement, TAG } from './element.ts'

/** Marks the element that stands in the window's corner, put there by inspect(). */
const CORNER = 'corner'

/**
 * Shows what an agent does: in the page's own `<metertap-inspector>` if it has one, else in a panel in the window's
 * corner. Several agents share one panel. Shows ids, meters, reasons and counts; an event's data only for dead letters
 * and only when asked for; a token never.
 *
 * Throws a MetertapError `bad_option` where there is no page, or for what is no agent.
 *
 * @example
 * import { inspect } from 'metertap/inspector'
 * inspect(usage)
 */
export function inspect(usage: Inspected, { name, open = true }: InspectOptions = {}): Inspection {
  if (typeof usage?.stats !== 'function') {
    throw new MetertapError('bad_option', 'inspect() takes what createAgent() gave.')
  }
  if (!('customElements' in globalThis)) {
    throw new MetertapError('bad_option', 'inspect() needs a page: call it in the browser, for example in an effect.')
  }
  defineElement()
  const { element, isNew } = findElement()
  const { panel } = element
  if (isNew) panel.setOpen(open)
  const watch = new AgentWatch({
    agent: usage,
    name: name ?? `agent ${panel.watches.length + 1}`,
    now: Date.now,
    onNews: () => panel.ask(),
  })
  panel.setWatches([...panel.watches, watch])
  return { element, close: () => close(element, watch) }
}

function findElement(): { readonly element: InspectorElement; readonly isNew: boolean } {
  const found = document.querySelector<InspectorElement>(TAG)
  if (found) return { element: found, isNew: found.panel.watches.length === 0 }
  const element = document.createElement(TAG) as InspectorElement
  element.toggleAttribute(CORNER, true)
  // A script in the head comes before the body.
  ;(document.body ?? document.documentElement).append(element)
  return { element, isNew: true }
}

function close(element: InspectorElement, watch: AgentWatch): void {
  const { panel } = element
  if (!panel.watches.includes(watch)) return
  watch.end()
  if (watch.agent.stats().pausedBy.includes(OFFLINE)) watch.agent.resume(OFFLINE)
  panel.setWatches(panel.watches.filter((each) => each !== watch))
  if (panel.watches.length === 0 && element.hasAttribute(CORNER)) element.remove()
}
