import * as z from 'zod'
import { meterIdOf } from '../world/meter-routes.ts'
import type { World } from '../world.ts'
import type { Survey } from './file.ts'

/** What relay and upstream say, at one moment. */
export interface Tally {
  readonly recorded: number
  readonly received: number
  readonly forwarded: number
  readonly missing: number
  /** Events that the relay refused, and events that Zuora refused. */
  readonly rejected: number
  readonly dead: number
  /** Events in the relay that are on their way upstream. */
  readonly queued: number
  /** Billable rows in the stand-in; those of them that were billed before; resends that its Deduplicator stopped. */
  readonly upstream: number
  readonly duplicates: number
  readonly deduplicated: number
  /** Exact sum over the billable rows, as decimal text. */
  readonly bytes: string
}

const count = z.int().nonnegative()
const answer = z.object({
  totals: z.object({
    recorded: count,
    received: count,
    forwarded: count,
    rejected: count,
    dead: count,
    missing: z.int(),
  }),
  lanes: z.array(z.object({ waiting: count, inDelivery: count })),
})

/** Asks the relay's ledger first and the upstream after it: an empty relay means that the upstream's figures are final. */
export async function takeTally({ adminUrl, adminKey, zuora }: World): Promise<Tally> {
  const response = await fetch(`${adminUrl}/v1/ledger?limit=1`, { headers: { authorization: `Bearer ${adminKey}` } })
  if (!response.ok) throw new Error(`The relay's ledger answered ${response.status}.`)
  const { totals, lanes } = answer.parse(await response.json())
  const queued = lanes.reduce((sum, { waiting, inDelivery }) => sum + waiting + inDelivery, 0)
  const { billable, duplicates, deduplicated, sums } = zuora.ledger.totals(meterIdOf('web_requests'))
  return { ...totals, queued, upstream: billable, duplicates, deduplicated, bytes: sums.Quantity ?? '0' }
}

/** Every figure against the file's own. */
export function agrees(tally: Tally, { events, bytes }: Survey): boolean {
  const { recorded, received, forwarded, upstream, duplicates, missing } = tally
  return (
    [recorded, received, forwarded, upstream].every((figure) => figure === events) &&
    duplicates === 0 &&
    missing === 0 &&
    tally.bytes === String(bytes)
  )
}
