import type { Table } from '../../contract.ts'
import { figure } from '../../harness/format.ts'
import type { NamedTable } from './tables.ts'

export function markdownOf({ columns, rows }: Table): string {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)).join(' | ')} |`
  const rule = `|${columns.map((_, nth) => (nth === 0 ? ' --- |' : ' ---: |')).join('')}`
  return [line(columns), rule, ...rows.map(line)].join('\n')
}

/** A page with its tables made anew: each stands between `<!-- table NAME -->` and `<!-- end -->`. */
export function fillPage(page: string, tables: readonly NamedTable[]): string {
  return page.replaceAll(/<!-- table ([\w-]+) -->\n.*?<!-- end -->/gs, (_, name: string) => {
    const table = tables.find((each) => each.name === name)
    if (!table)
      throw new RangeError(`There is no table ${name}: there are ${tables.map((each) => each.name).join(', ')}.`)
    return `<!-- table ${name} -->\n${markdownOf(table)}\n<!-- end -->`
  })
}

export function namesIn(page: string): string[] {
  return [...page.matchAll(/<!-- table ([\w-]+) -->/g)].map(([, name]) => name ?? '')
}
