import type { Ledger } from '../../src/zuora-stand-in/contract.ts'
import { METER_ROUTES, meterIdOf } from '../world/meter-routes.ts'
import type { BillInfo, BillLine } from './contract.ts'

type ByAccount = Map<string, { events: number; quantity: number }>

/** Makes the function that tells what Zuora would bill an account. Rows are read again only when there are new ones. */
export function createBillReader(ledger: Ledger): (account: string) => BillInfo {
  const read = new Map<string, { readonly billable: number; readonly byAccount: ByAccount }>()
  const sumsOf = (meterId: string): ByAccount => {
    const { billable } = ledger.totals(meterId)
    const known = read.get(meterId)
    if (known?.billable === billable) return known.byAccount
    const byAccount = addUp(ledger, meterId)
    read.set(meterId, { billable, byAccount })
    return byAccount
  }
  return (account) => {
    const lines = METER_ROUTES.map(({ meter }): BillLine => {
      return { meter: meter.name, ...(sumsOf(meterIdOf(meter.name)).get(account) ?? { events: 0, quantity: 0 }) }
    })
    return { lines }
  }
}

function addUp(ledger: Ledger, meterId: string): ByAccount {
  const byAccount: ByAccount = new Map()
  for (const { CustomerId, Quantity } of ledger.events(meterId)) {
    const sum = byAccount.get(String(CustomerId)) ?? { events: 0, quantity: 0 }
    byAccount.set(String(CustomerId), { events: sum.events + 1, quantity: sum.quantity + Number(Quantity) })
  }
  return byAccount
}
