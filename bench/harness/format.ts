import type { Ratio, Report, Table } from '../contract.ts'
import type { Spread } from './stats.ts'

/** Three figures that count, and no more. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 100) return Math.round(value).toLocaleString('en')
  return Number(value.toPrecision(3)).toString()
}

export function spread({ median, min, max, rounds }: Spread): string {
  return rounds === 1 ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`
}

export function isMet({ value, atMost, atLeast }: Ratio): boolean | undefined {
  if (atMost !== undefined) return value.median <= atMost
  if (atLeast !== undefined) return value.median >= atLeast
  return undefined
}

function ratioLine(ratio: Ratio): string {
  const { name, value, isCeiling = false, atMost, atLeast } = ratio
  const target = atMost !== undefined ? `≤ ${figure(atMost)}` : atLeast !== undefined ? `≥ ${figure(atLeast)}` : ''
  const verdict = { true: `  ✓ ${target}`, false: `  ✗ target ${target}`, undefined: '' }[`${isMet(ratio)}`]
  const text = `${isCeiling ? '≤ ' : ''}${spread(value)}`
  return `  ${text.padEnd(26)} ${name}${verdict}`
}

export function tableText({ title, columns, rows }: Table): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)))
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  )
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2))
  return [title, lines[0], rule, ...lines.slice(1)].join('\n')
}

/** Ratios first: they are what one may quote. */
export function reportText({ ratios, tables, notes }: Report): string {
  const head = ratios.length > 0 ? ['Ratios: median (lowest–highest of the rounds)', ...ratios.map(ratioLine), ''] : []
  return [...head, ...tables.flatMap((table) => [tableText(table), '']), ...notes.map((note) => `* ${note}`)].join('\n')
}
