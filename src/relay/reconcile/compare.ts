import * as z from 'zod'
import type { AskUpstream } from '../forward/contract.ts'
import type { HourRow, RelayStore } from '../store/contract.ts'
import type { Comparison } from './contract.ts'
import { askJson, type Span, toIso } from './read-entries.ts'

const group = z.object({
  dimensions: z.record(z.string(), z.unknown()),
  output: z.number().catch(0),
  totalErrorCount: z.number().catch(0),
})
const summary = z.object({ success: z.literal(true), data: z.object({ output: z.array(group) }) })

const HOUR_MS = 3_600_000
/** One row for each account: an hour is read at once. */
const ALL = 10_000_000
const DUPLICATE = /dedup|duplicate/i

export interface CompareOptions {
  readonly meter: string
  readonly meterId: string
  readonly span: Span
  /** Ids of operators that are known to be Deduplicators. */
  readonly deduplicators: readonly string[]
}

/** Events of a meter that the upstream answered with success within whole hours. */
export type SumForwarded = (meter: string, span: Span) => Promise<number>

/** Holds the relay's ledger by hour against the upstream's summary. Errors: UpstreamProblem. */
export async function compare(
  { sumForwarded, ask }: { sumForwarded: SumForwarded; ask: AskUpstream },
  { meter, meterId, span, deduplicators }: CompareOptions,
): Promise<Comparison> {
  const body = JSON.stringify({
    ...{ runType: 'NORMAL', groupBy: ['operatorId', 'errorCode'] },
    // Both ends count, so the last second is left out.
    ...{ queryFromTime: toIso(span.fromMs, 'floor'), queryToTime: toIso(span.untilMs - 1_000, 'floor') },
  })
  const path = `/meters/${encodeURIComponent(meterId)}/summary`
  const { data } = await askJson(ask, path, { method: 'POST', body }, summary)
  const forwarded = await sumForwarded(meter, span)
  const { accepted, failed, duplicates } = addUp(data.output, deduplicators)
  return { ...span, forwarded, accepted, failed, duplicates, difference: forwarded - accepted - failed }
}

type Counts = Pick<Comparison, 'accepted' | 'failed' | 'duplicates'>

/** Operators stand behind one another, and each counts what it passes on: the source, which is first, counts most. */
function addUp(groups: readonly z.infer<typeof group>[], deduplicators: readonly string[]): Counts {
  const outputs = new Map<string, number>()
  let failed = 0
  let duplicates = 0
  for (const { dimensions, output, totalErrorCount } of groups) {
    const operator = String(dimensions.operatorId)
    outputs.set(operator, (outputs.get(operator) ?? 0) + output)
    const isDuplicate = [operator, String(dimensions.errorCode)].some((name) => DUPLICATE.test(name))
    if (isDuplicate || deduplicators.includes(operator)) duplicates += totalErrorCount
    else failed += totalErrorCount
  }
  return { accepted: Math.max(0, ...outputs.values()), failed, duplicates }
}

/** Sums over a store, an hour at a time. */
export function createSumForwarded(store: Pick<RelayStore, 'ledgerByHour'>): SumForwarded {
  return async (meter, { fromMs, untilMs }) => {
    let sum = 0
    for (let from = fromMs; from < untilMs; from += HOUR_MS) {
      const rows: HourRow[] = await store.ledgerByHour({ meter, fromMs: from, untilMs: from + HOUR_MS, limit: ALL })
      for (const { forwarded } of rows) sum += forwarded
    }
    return sum
  }
}
