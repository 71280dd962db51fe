import type { Report, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'

type Cell = string | number

/** Columns of the cost table that a reader compares, and how the page calls them. */
const COSTS: readonly (readonly [column: string, heading: string])[] = [
  ['task ms', 'main thread, ms'],
  ['wire kB', 'sent, kB'],
  ['requests', 'requests'],
  ['bundle kB', 'bundle, kB'],
]

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** `3 / 0 / 100 of 100` is 3 lost and 0 doubled. What was resent under its id is what a back end throws away. */
function fate(cell: Cell): string {
  const counts = /^(\d+) \/ (\d+) \/ \d+ of \d+$/.exec(String(cell))
  return counts ? `${counts[1]} · ${counts[2]}` : String(cell)
}

/** What a reader has to know of the libraries that did not come to their end. */
function cutLines({ columns, rows }: Table): string[] {
  return rows.flatMap((row) => {
    const end = String(row[columns.indexOf('delivered ms')] ?? '')
    if (end === '–') return [`${row[0]}: no burst of it came to an end that could be measured.`]
    if (!/^(cut off|crashed) after/.test(end)) return []
    return [`${row[0]}: ${end} with ${row[columns.indexOf('events')]} events delivered; its costs are at least these.`]
  })
}

/** The peers' report as one Markdown table: costs of a burst, then events lost · doubled in each fate. */
export function peersTable({ tables }: Pick<Report, 'tables'>): string | undefined {
  const [costs, fates] = tables
  if (!costs || !fates) return undefined
  const [, ...names] = fates.columns
  const rows = costs.rows.map((row) => {
    const [library] = row
    const cost = COSTS.map(([column]) => row[costs.columns.indexOf(column)] ?? '–')
    const met = fates.rows.find(([name]) => name === library)?.slice(1) ?? []
    return line([
      `${library}`,
      ...cost.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)),
      ...met.map(fate),
    ])
  })
  const head = ['library', ...COSTS.map(([, heading]) => heading), ...names.map((name) => `${name}: lost · doubled`)]
  const notes = cutLines(costs).flatMap((text) => [text, ''])
  return ['', '', line(head), `|${'---|'.repeat(head.length)}`, ...rows, '', ...notes, ''].join('\n')
}
