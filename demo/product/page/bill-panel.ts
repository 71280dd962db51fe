import type { BillInfo } from '../contract.ts'
import { inEuros, PRICES } from '../prices.ts'
import { backEnd } from './back-end.ts'
import { byId, setText } from './dom.ts'
import type { OwnCounts } from './own-counts.ts'

const REFRESH_MS = 1_000

/** Follows what was used here until Zuora bills it. */
export function openBillPanel(own: OwnCounts): void {
  byId('bill-rows').replaceChildren(...PRICES.map(({ meter, label, price }) => billRow(meter, label, price)))
  const refresh = async (): Promise<void> => {
    try {
      if (document.visibilityState === 'visible') showBill(await backEnd.bill(), own)
    } catch {
      setText('bill-state', 'Halftone’s back end does not answer')
    }
    setTimeout(refresh, REFRESH_MS)
  }
  void refresh()
}

function billRow(meter: string, label: string, price: string): HTMLTableRowElement {
  const row = document.createElement('tr')
  const head = document.createElement('th')
  head.scope = 'row'
  const note = document.createElement('small')
  note.textContent = price
  head.append(`${label} `, note)
  row.append(head)
  for (const column of ['used', 'billed', 'amount']) row.insertCell().id = `${column}-${meter}`
  return row
}

function showBill({ lines }: BillInfo, own: OwnCounts): void {
  let total = 0
  let isBilled = true
  for (const { meter, eurosEach, show } of PRICES) {
    const used = own.sum(meter)
    const billed = lines.find((line) => line.meter === meter)?.quantity ?? 0
    total += billed * eurosEach
    isBilled &&= billed >= used
    setText(`used-${meter}`, show(used))
    setText(`billed-${meter}`, show(billed)).classList.toggle('behind', billed < used)
    setText(`amount-${meter}`, inEuros(billed * eurosEach))
  }
  setText('bill-total', inEuros(total))
  setText('bill-state', isBilled ? 'all billed' : 'some on its way').classList.toggle('behind', !isBilled)
}
