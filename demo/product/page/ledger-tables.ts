import type { LedgerInfo, LedgerStream } from '../contract.ts'
import { byId, setText, whole } from './dom.ts'

const MAX_ROWS = 8
const COLUMNS = ['recorded', 'received', 'forwarded', 'upstream', 'missing'] as const

/** Shows where the account's events are. `ownStream` is this page's. */
export function showLedger(info: LedgerInfo, ownStream: string | undefined): void {
  const { streams, totals, meters } = info
  const shown = streams.slice(0, MAX_ROWS)
  byId('ledger-rows').replaceChildren(...shown.map((row) => streamRow(row, row.stream === ownStream)))
  byId('ledger-totals').replaceChildren(
    tableRow([streams.length === 1 ? '1 stream' : `${whole(streams.length)} streams`], counts(totals)),
  )
  const older = streams.length - shown.length
  const note = 'of this account, as the relay and Zuora know it'
  setText('ledger-note', older > 0 ? `${note}; ${whole(older)} older streams are not shown` : note)
  byId('meter-rows').replaceChildren(
    ...meters.map(({ meter, events, quantity }) => tableRow([meter], [whole(events), groupDigits(quantity)])),
  )
  setText('upstream', whole(streams.find(({ stream }) => stream === ownStream)?.upstream ?? 0))
}

function streamRow(row: LedgerStream, isOwn: boolean): HTMLTableRowElement {
  // Streams that were opened within minutes of each other begin alike: show the end, too.
  const name = document.createElement('code')
  name.textContent = `${row.stream.slice(0, 8)}…${row.stream.slice(-6)}`
  name.title = row.stream
  const badge = document.createElement('span')
  badge.className = 'badge'
  badge.textContent = 'this page'
  return tableRow(isOwn ? [name, badge] : [name], counts(row))
}

function counts(row: Omit<LedgerStream, 'stream'>): string[] {
  return COLUMNS.map((column) => whole(row[column]))
}

function tableRow(head: readonly (Node | string)[], cells: readonly string[]): HTMLTableRowElement {
  const row = document.createElement('tr')
  const first = document.createElement('th')
  first.scope = 'row'
  first.append(...head)
  row.append(first)
  for (const text of cells) row.insertCell().textContent = text
  return row
}

/** Exact for any length: the sum may be more than a number holds. */
function groupDigits(decimal: string): string {
  return /^-?\d+$/.test(decimal) ? BigInt(decimal).toLocaleString('en') : decimal
}
