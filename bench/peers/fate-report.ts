import type { Bar, Ratio, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'
import { spreadOf } from '../harness/stats.ts'
import { OURS } from './cost-report.ts'
import { FATES, type FateResult } from './fates.ts'

const fatesOf = (fates: readonly FateResult[], name: string) => fates.filter(({ library }) => library === name)

export function isLossless(fates: readonly FateResult[], name: string): boolean {
  const met = fatesOf(fates, name)
  return met.length === FATES.length && met.every(({ lost, failure }) => lost === 0 && failure === undefined)
}

export function fateRatios(fates: readonly FateResult[]): Ratio[] {
  const ours = fatesOf(fates, OURS).filter(({ failure }) => failure === undefined)
  if (ours.length < FATES.length) return []
  const sum = (what: 'lost' | 'doubled') => spreadOf([ours.reduce((total, result) => total + result[what], 0)])
  return [
    { name: 'metertap’s events lost in all fates', value: sum('lost'), atMost: 0 },
    { name: 'metertap’s events doubled after its relay', value: sum('doubled'), atMost: 0 },
  ]
}

function cellOf(result: FateResult | undefined): string {
  if (!result) return '–'
  if (result.failure !== undefined) return 'failed'
  const { lost, doubled, resent, recorded } = result
  return `${lost} / ${doubled} / ${resent} of ${recorded}`
}

export function fateTable(fates: readonly FateResult[], libraries: readonly string[]): Table {
  const names = FATES.map(({ name }) => name)
  const rows = libraries.map((library) => {
    const met = fatesOf(fates, library)
    return [library, ...names.map((name) => cellOf(met.find(({ fate }) => fate === name)))]
  })
  return { title: 'Lost / doubled / resent under the same id', columns: ['library', ...names], rows }
}

/** Events lost or doubled. One that failed in a fate is marked: what it lost there is not known. */
export function fateBars(fates: readonly FateResult[], libraries: readonly string[]): Bar[] {
  return libraries
    .map((name) => {
      const met = fatesOf(fates, name)
      const failed = met.filter(({ failure }) => failure !== undefined).length
      const value = met.reduce((sum, { lost, doubled }) => sum + lost + doubled, 0)
      const bar = { label: name, value, highlight: name === OURS }
      return failed > 0 ? { ...bar, label: `${name} (${failed} failed)`, text: `≥ ${figure(value)}` } : bar
    })
    .toSorted((a, b) => a.value - b.value)
}

/** Events that each library recorded in all fates. */
export function recordedInAll(fates: readonly FateResult[], libraries: readonly string[]): number {
  const recorded = libraries.map((name) => fatesOf(fates, name).reduce((sum, result) => sum + result.recorded, 0))
  return Math.max(0, ...recorded)
}

export function fateNotes(fates: readonly FateResult[]): string[] {
  return fates.flatMap(({ library, fate, failure }) => (failure ? [`${library}, ${fate}: ${failure}`] : []))
}
