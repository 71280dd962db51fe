import type { LedgerDay } from '../../operate/ledger-days.ts'
import { ask } from './ask.ts'
import { type Chart, createChart, legend } from './charts.ts'
import { el, figure, head, section, table } from './dom.ts'
import { count, day, share } from './format.ts'

interface Answer {
  readonly days: readonly LedgerDay[]
  readonly streams: number
  readonly isWhole: boolean
}

export interface Completeness {
  readonly root: HTMLElement
  refresh(): Promise<void>
}

const KINDS = ['received', 'declared', 'rejected', 'missing'] as const
const LABELS = { received: 'Received', declared: 'Declared lost', rejected: 'Refused here', missing: 'Missing' }
const DAY_S = 86_400
const DAY_MS = DAY_S * 1000
const DAYS_SHOWN = 31
const ROWS_SHOWN = 200

/** Received, declared and missing by account and day, as a picture and as a table. */
export function createCompleteness(): Completeness {
  const picture = el('div', { class: 'chart' })
  const account = el('select', { id: 'account', onchange: () => draw() }, el('option', { value: '' }, 'All accounts'))
  const body = el('tbody', { id: 'days' })
  const note = el('p', { class: 'quiet' })
  let answer: Answer = { days: [], streams: 0, isWhole: true }
  let chart: Chart | undefined

  function draw(): void {
    const chosen = answer.days.filter((row) => account.value === '' || row.account === account.value)
    const dayMs = lastDays(chosen)
    const sumOf = (at: number, kind: (typeof KINDS)[number]): number =>
      chosen.reduce((sum, row) => sum + (row.dayMs === at ? row[kind] : 0), 0)
    const series = KINDS.map((kind) => ({
      ...{ label: LABELS[kind], color: `--${kind}` },
      values: dayMs.map((at) => sumOf(at, kind)),
    }))
    chart ??= createChart(picture, 'stack', DAY_S)
    chart.show({ times: dayMs.map((at) => at / 1000), series }, inWords(chosen))
    body.replaceChildren(
      ...chosen
        .toSorted((a, b) => b.dayMs - a.dayMs)
        .slice(0, ROWS_SHOWN)
        .map(rowOf),
    )
    note.textContent =
      `Every stream counts on the day (UTC) on which it was first seen. What is still on its device counts as missing.` +
      (answer.isWhole
        ? ''
        : ` Only the newest ${count(answer.streams)} streams are shown here; the totals above are of all.`)
  }

  function fillAccounts(): void {
    const known = new Set([...account.options].map(({ value }) => value))
    for (const name of new Set(answer.days.map((row) => row.account))) {
      if (!known.has(name)) account.append(el('option', { value: name }, name))
    }
  }

  return {
    root: section(
      'completeness',
      'Completeness by account and day',
      el('p', { class: 'choice' }, el('label', { for: 'account' }, 'Account'), account),
      legend(...KINDS.map((kind): [string, string] => [LABELS[kind], kind])),
      picture,
      table(
        'Events by account and day, the newest days first',
        head(
          'Day',
          'Account',
          '#Streams',
          '#Recorded',
          '#Received',
          '#Declared lost',
          '#Refused',
          '#Missing',
          '#Complete',
        ),
        body,
      ),
      note,
    ),
    async refresh() {
      answer = await ask<Answer>('GET', '/v1/days?limit=10000')
      fillAccounts()
      draw()
    },
  }
}

/** Without holes between the first and the last, at least a week. */
function lastDays(rows: readonly LedgerDay[]): number[] {
  const last = rows.at(-1)?.dayMs ?? Math.floor(Date.now() / DAY_MS) * DAY_MS
  const first = Math.max(rows[0]?.dayMs ?? last, last - (DAYS_SHOWN - 1) * DAY_MS)
  const shown = Math.max(7, (last - first) / DAY_MS + 1)
  return Array.from({ length: shown }, (_, at) => last - (shown - 1 - at) * DAY_MS)
}

function rowOf(row: LedgerDay): HTMLElement {
  const lost = (value: number): HTMLElement => figure(count(value), { class: value > 0 ? 'figure alarm' : 'figure' })
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, day(row.dayMs)),
    el('td', {}, row.account),
    figure(count(row.streams)),
    figure(count(row.recorded)),
    figure(count(row.received)),
    ...[row.declared, row.rejected, row.missing].map(lost),
    figure(share(row.received, row.recorded)),
  )
}

function inWords(rows: readonly LedgerDay[]): string {
  if (rows.length === 0) return 'Completeness by day: nothing was recorded yet.'
  const sums = KINDS.map((kind) => `${LABELS[kind]} ${count(rows.reduce((sum, row) => sum + row[kind], 0))}`)
  const days = new Set(rows.map(({ dayMs }) => dayMs)).size
  return `Completeness by day over ${days} days with events: ${sums.join(', ')}. The table below has each day.`
}
