import * as z from 'zod'
import { METER_ROUTES, meterIdOf } from '../world/meter-routes.ts'
import type { Ledger } from '../zuora/contract.ts'
import type { LedgerInfo, LedgerStream } from './contract.ts'

export interface LedgerDeps {
  /** The address of the relay's operator API and its key: they stay in the back end. */
  readonly adminUrl: string
  readonly adminKey: string
  readonly upstream: Ledger
}

const count = z.int().nonnegative()
const answer = z.object({
  streams: z.array(
    z.object({ stream: z.string(), recorded: count, received: count, forwarded: count, missing: count }),
  ),
})

/** Makes the function that tells where an account's events are, from record() to Zuora. */
export function createLedgerReader(deps: LedgerDeps): (account: string) => Promise<Omit<LedgerInfo, 'cutUntilMs'>> {
  const countUpstream = createUpstreamCounter(deps.upstream)
  return async (account) => {
    const headers = { authorization: `Bearer ${deps.adminKey}` }
    const response = await fetch(`${deps.adminUrl}/v1/ledger?account=${encodeURIComponent(account)}`, { headers })
    if (!response.ok) throw new Error(`The relay's ledger answered ${response.status}.`)
    const rows = answer.parse(await response.json()).streams
    const streams = rows.map((row) => ({ ...row, upstream: countUpstream(row.stream, row.recorded) }))
    return { streams, totals: sumUp(streams), meters: metersOf(deps.upstream) }
  }
}

/** Counts by event id, so that the figure is evidence. What has arrived is not looked up again. */
function createUpstreamCounter(upstream: Ledger): (stream: string, recorded: number) => number {
  const arrived = new Map<string, Set<number>>()
  const meterIds = METER_ROUTES.map(({ meter }) => meterIdOf(meter.name))
  return (stream, recorded) => {
    const known = arrived.get(stream) ?? new Set()
    arrived.set(stream, known)
    if (known.size === recorded) return recorded
    for (let seq = 0; seq < recorded; seq++) {
      if (!known.has(seq) && meterIds.some((id) => upstream.has(id, `${stream}-${seq}`))) known.add(seq)
    }
    return known.size
  }
}

function sumUp(streams: readonly LedgerStream[]): LedgerInfo['totals'] {
  const totals = { recorded: 0, received: 0, forwarded: 0, upstream: 0, missing: 0 }
  for (const row of streams) {
    for (const key of ['recorded', 'received', 'forwarded', 'upstream', 'missing'] as const) totals[key] += row[key]
  }
  return totals
}

function metersOf(upstream: Ledger): LedgerInfo['meters'] {
  return METER_ROUTES.map(({ meter }) => {
    const { billable, sums } = upstream.totals(meterIdOf(meter.name))
    return { meter: meter.name, events: billable, quantity: sums.Quantity ?? '0' }
  })
}
