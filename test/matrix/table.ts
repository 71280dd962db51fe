import type { CellResult } from './contract.ts'

const COLUMNS = [
  'scenario',
  'moment',
  'recorded',
  'durable',
  'refused',
  'received',
  'lost',
  'durable lost',
  'doubled',
  'resent, removed',
  'requests',
  '',
] as const

function rowOf(result: CellResult): string[] {
  const { scenario, moment, outcome, recorded, durable, refused, received, lost } = result
  const { lostDurable, doubled, resent, requests, notes } = result
  const tail = [outcome, ...notes].join(': ').replaceAll(/\s*\n\s*|\|/g, ' ')
  if (outcome === 'skipped') return [scenario, moment, ...Array(COLUMNS.length - 3).fill(''), tail]
  const counts = [recorded, durable, refused, received, lost, lostDurable, doubled, resent, requests]
  return [scenario, moment, ...counts.map(String), tail]
}

/** One finished cell, for the one who waits. */
export function lineOf(result: CellResult): string {
  const { engine, durationMs } = result
  return [engine, ...rowOf(result).filter((text) => text !== ''), `${durationMs} ms`].join('  ')
}

/** The matrix as Markdown, a table per engine. */
export function tableOf(results: readonly CellResult[]): string {
  const parts: string[] = []
  for (const [engine, rows] of Map.groupBy(results, (result) => result.engine)) {
    const body = rows.map((row) => `| ${rowOf(row).join(' | ')} |`)
    parts.push(`\n### ${engine}\n`, `| ${COLUMNS.join(' | ')} |`, `|${' --- |'.repeat(COLUMNS.length)}`, ...body)
  }
  return parts.join('\n')
}

/** One line that says it all. */
export function summaryOf(results: readonly CellResult[], durationMs: number): string {
  const count = (outcome: CellResult['outcome']) => results.filter((result) => result.outcome === outcome).length
  const sum = (of: (result: CellResult) => number) => results.reduce((total, result) => total + of(result), 0)
  const cells = `${results.length} cells: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
  const lost = sum(({ lostDurable }) => lostDurable)
  const doubled = sum(({ doubled: times }) => times)
  const received = sum((result) => result.received)
  return `\n${cells}. ${received} events received, ${lost} durable lost, ${doubled} doubled. ${Math.round(durationMs / 1_000)} s.`
}
