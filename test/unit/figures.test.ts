import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Ratio, ReportFile } from '../../bench/contract.ts'
import { fillFigures, regionsIn } from '../../bench/figures/fill.ts'
import { REGIONS } from '../../bench/figures/regions.ts'
import { readResults } from '../../bench/figures/results.ts'
import { MAIN } from '../../bench/relay/bench.ts'
import { flatRatioName } from '../../bench/scale/flat.ts'
import { RELAYS_TITLE } from '../../bench/scale/relays.ts'

const page = readFileSync('README.md', 'utf8')

function ratio(name: string, median: number, more: Partial<Ratio> = {}): Ratio {
  return { name, value: { median, min: median, max: median, rounds: 1 }, ...more }
}

function report(bench: string, ratios: readonly Ratio[], more: Partial<ReportFile> = {}): ReportFile {
  const machine = { cpu: 'a', cores: 2, memoryGiB: 1, system: 'b', node: 'c', loadBefore: 0, versions: {} }
  const rest = { tables: [], charts: [], notes: [], quick: false, rounds: 1, durationMs: 1, machine }
  return { ...rest, bench, ratios, startedAt: '2026-01-01T00:00:00.000Z', ...more }
}

const size = (kB: number, startedAt?: string): ReportFile =>
  report('size', [ratio('kB gzip before the first record()', kB)], startedAt ? { startedAt } : {})
const marked = (name: string, text: string): string => `a <!-- figures:${name} -->${text}<!-- /figures --> b`

describe('README.md', () => {
  test('has the figures of bench/results: else run npm run figures', () => {
    expect(page).toBe(fillFigures(page, readResults()))
  })

  test('marks every figure that can be rendered', () => {
    expect([...new Set(regionsIn(page))].toSorted()).toEqual(Object.keys(REGIONS).toSorted())
  })
})

describe('figures', () => {
  test('are written between their marks, and nothing else is', () => {
    expect(fillFigures(marked('size-first', '9.9 kB'), [size(12.345)])).toBe(marked('size-first', '12.3 kB'))
  })

  test('keep their text where no report has them', () => {
    const text = marked('wire-best-peer', '×0.2')
    expect(fillFigures(text, [size(1), report('wire', [ratio('real requests: bytes over gzip', 1)])])).toBe(text)
  })

  test('come from the newest report that has them', () => {
    const some = [size(1, '2026-02-01'), size(2, '2026-03-01'), report('size', [], { startedAt: '2026-04-01' })]
    expect(fillFigures(marked('size-first', ''), some)).toBe(marked('size-first', '2.0 kB'))
  })

  test('of a quick form, or of an unknown name, are refused', () => {
    expect(() => fillFigures('', [{ ...size(1), quick: true }])).toThrow(/quick form/)
    expect(() => fillFigures(marked('none', ''), [])).toThrow(/Nothing renders none/)
  })

  test('of the peers are one table, with what each lost and doubled', () => {
    const columns = ['library', 'task ms', 'requests', 'wire kB', 'bundle kB']
    const tables = [
      { title: 'A burst', columns, rows: [['ours', 21.5, 4, 9.25, 38]] },
      { title: 'Lost', columns: ['library', 'outage'], rows: [['ours', '2 / 1 / 7 of 100']] },
    ]
    const text = fillFigures(marked('peers', ''), [report('peers', [], { tables })])
    expect(text).toContain('| library | main thread, ms | sent, kB | requests | bundle, kB | outage: lost · doubled |')
    expect(text).toContain('| ours | 21.5 | 9.25 | 4 | 38 | 2 · 1 |')
  })

  test('of many relays are found under the names that their bench gives them', () => {
    const rows = [
      ['1 relay', 165_912],
      ['2 relays', 180_400],
    ]
    const tables = [{ title: `${RELAYS_TITLE}, 500 events a batch`, columns: ['', 'events/s'], rows }]
    const scale = report('scale', [ratio(flatRatioName(50_000_000), 1.05)], { tables })
    expect(fillFigures(marked('scale-relays', ''), [scale])).toBe(marked('scale-relays', '166,000; 180,000'))
    expect(fillFigures(marked('scale-flat', ''), [scale])).toBe(marked('scale-flat', '×1.05'))
  })

  test('say what was wanted', () => {
    const main = `${MAIN.batchEvents} a batch, ${MAIN.connections} connections: `
    const ratios = [
      ratio(`${main}events/s over the commit floor’s`, 0.391, { atLeast: 0.6 }),
      ratio('p99 at half of the peak, ms', 21.4),
    ]
    const text = '×0.391 (wanted: ×0.6); p99 21.4 ms at half of its peak'
    expect(fillFigures(marked('relay', ''), [report('relay', ratios)])).toBe(marked('relay', text))
  })
})
