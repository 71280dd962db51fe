import type { LedgerTotals } from '../../store/contract.ts'
import { el } from './dom.ts'
import { count, share } from './format.ts'

const TILES: readonly (readonly [keyof LedgerTotals, label: string, alarm?: true])[] = [
  ['recorded', 'Recorded'],
  ['received', 'Received'],
  ['forwarded', 'Forwarded'],
  ['missing', 'Missing', true],
  ['declared', 'Declared lost', true],
  ['dead', 'Dead letters', true],
]

export interface Overview {
  readonly root: HTMLElement
  show(totals: LedgerTotals): void
}

/** Whether anything is missing, at a glance. */
export function createOverview(): Overview {
  const verdict = el('p', { class: 'verdict', id: 'verdict' })
  const values = TILES.map(([name]) => el('dd', { id: `total-${name}` }, '–'))
  const tiles = TILES.map(([, label], at) => el('div', { class: 'tile' }, el('dt', {}, label), values[at]))
  const root = el('div', { class: 'overview' }, el('h1', {}, 'Is anything missing?'), verdict, el('dl', {}, ...tiles))
  return {
    root,
    show(totals) {
      for (const [at, [name, , isAlarm]] of TILES.entries()) {
        const value = values[at] as HTMLElement
        value.textContent = count(totals[name])
        tiles[at]?.classList.toggle('alarm', isAlarm === true && totals[name] > 0)
      }
      verdict.textContent = verdictOf(totals)
      verdict.classList.toggle('alarm', totals.missing + totals.declared + totals.dead > 0)
    },
  }
}

function verdictOf({ streams, recorded, received, missing, declared, dead }: LedgerTotals): string {
  if (streams === 0) return 'Nothing was recorded yet.'
  const lost = [
    missing > 0 ? `missing: ${count(missing)} (they may still be on their devices)` : '',
    declared > 0 ? `declared lost by their devices: ${count(declared)}` : '',
    dead > 0 ? `refused upstream, in the dead letters: ${count(dead)}` : '',
  ].filter((part) => part !== '')
  const head = `${share(received, recorded)} of ${count(recorded)} recorded events are here`
  return lost.length === 0 ? `${head}: nothing is missing.` : `${head}. Not all is well: ${lost.join('; ')}.`
}
