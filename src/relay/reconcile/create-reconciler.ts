import * as z from 'zod'
import type { MeterRoute } from '../contract.ts'
import type { AskUpstream } from '../forward/contract.ts'
import type { Log } from '../log.ts'
import type { ImportFailureResult, RelayStore } from '../store/contract.ts'
import { compare, createSumForwarded, type SumForwarded } from './compare.ts'
import type { MeterReport, ReconcileReport, Reconciler } from './contract.ts'
import { type AuditEntry, MAX_PAGES, readEntries, type Span, UpstreamProblem } from './read-entries.ts'
import { unmapRow } from './unmap-row.ts'

export interface ReconcilerOptions {
  readonly store: Pick<RelayStore, 'note' | 'setNote' | 'buryForwarded' | 'ledgerByHour'>
  readonly routes: readonly MeterRoute[]
  readonly tenant: string
  readonly ask: AskUpstream
  /** Wall clock, ms. */
  readonly clock: () => number
  readonly log: Log
  /** Pages of a meter's audit trail that one run reads; the next run goes on there. Default 10,000, all of them. */
  readonly maxPages?: number
  /** Default: an hour after the other, from the store. */
  readonly sumForwarded?: SumForwarded
}

type Counts = { -readonly [K in 'buried' | 'known' | 'unknown' | 'deduplicated']: number }

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** How far back the first run looks. */
const FIRST_LOOK_MS = 30 * DAY_MS
/** Rows fail some time after they were taken: each run reads this much of the last run's span again. */
const OVERLAP_MS = 6 * HOUR_MS
/** A reported failure is known for so long. */
const MARK_LIFE_MS = 100 * DAY_MS
/** The last minutes' rows may still be under way. */
const SETTLING_MS = 10 * 60_000
const COMPARED_MS = 30 * DAY_MS
const MAX_DEDUPLICATORS = 20

const mark = z.object({
  readUntilMs: z.number(),
  deduplicators: z.array(z.string()),
  /** A span that has not been read to its end. */
  unfinished: z.object({ fromMs: z.number(), untilMs: z.number(), cursor: z.string() }).optional(),
})
type Mark = z.infer<typeof mark>

/**
 * Settles what the upstream finds out after its 200: rows whose import failed become dead letters, second copies are
 * counted, and both ledgers are held against each other. How far it has read is kept in the store.
 *
 * @example
 * const ask = createUpstreamClient({ upstream, clock: Date.now, fetch })
 * const { meters } = await createReconciler({ store, routes, tenant: 'default', ask, clock: Date.now, log }).run()
 */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { store, routes, tenant, ask, clock, log } = options
  const { maxPages = MAX_PAGES, sumForwarded = createSumForwarded(store) } = options
  let underWay: Promise<ReconcileReport> | undefined

  async function runAll(sinceMs: number | undefined): Promise<ReconcileReport> {
    const startedAtMs = clock()
    const meters: MeterReport[] = []
    for (const route of routes) meters.push(await runOne(route, startedAtMs, sinceMs))
    return { startedAtMs, meters }
  }

  async function runOne(route: MeterRoute, nowMs: number, sinceMs: number | undefined): Promise<MeterReport> {
    const { name: meter } = route.meter
    const counts: Counts = { buried: 0, known: 0, unknown: 0, deduplicated: 0 }
    const meterId = route.upstream.meterId ?? route.upstream.meterGlobalId
    if (meterId === undefined)
      return { meter, ...counts, failure: 'give meterId: without it the upstream cannot be asked' }
    try {
      const found = await reconcile(route, meterId, { nowMs, sinceMs, counts })
      const { comparison } = found
      log('info', 'reconciled', { meter, ...counts, ...(comparison && { difference: comparison.difference }) })
      return { meter, ...counts, ...found }
    } catch (error) {
      if (!(error instanceof UpstreamProblem)) throw error
      log('error', 'reconcile_failed', { meter, reason: error.message })
      return { meter, ...counts, failure: error.message }
    }
  }

  async function reconcile(
    route: MeterRoute,
    meterId: string,
    { nowMs, sinceMs, counts }: { nowMs: number; sinceMs: number | undefined; counts: Counts },
  ): Promise<Pick<MeterReport, 'comparison' | 'isUnfinished'>> {
    const { name: meter } = route.meter
    const { unfinished, ...last } = await readMark(meter, nowMs)
    // Whoever looks back a little only must not leave a hole before it.
    const fromMs = Math.min(sinceMs ?? nowMs, last.readUntilMs - OVERLAP_MS)
    const fresh = { fromMs, untilMs: nowMs, cursor: undefined }
    const span = sinceMs === undefined ? (unfinished ?? fresh) : fresh
    // A cursor that is no longer good must not be tried for ever: what was dealt with is known by its marks.
    if (unfinished !== undefined) await store.setNote(noteOf(meter), JSON.stringify(last))
    const deduplicators = new Set(last.deduplicators)
    const cursor = await readSpan(route, meterId, { span, deduplicators, counts, nowMs })
    const known = [...deduplicators].slice(0, MAX_DEDUPLICATORS)
    if (cursor !== undefined) {
      const { fromMs, untilMs } = span
      const stopped: Mark = { ...last, deduplicators: known, unfinished: { fromMs, untilMs, cursor } }
      await store.setNote(noteOf(meter), JSON.stringify(stopped))
      return { isUnfinished: true }
    }
    // Only now: a run that ends early is done again.
    const done: Mark = { readUntilMs: Math.max(last.readUntilMs, span.untilMs), deduplicators: known }
    await store.setNote(noteOf(meter), JSON.stringify(done))
    const compared = await spanToCompare(meter, nowMs)
    if (!compared) return {}
    return {
      comparison: await compare({ sumForwarded, ask }, { meter, meterId, span: compared, deduplicators: known }),
    }
  }

  /** Enters what the span's pages say; where the next page begins if there are more than this run reads. */
  async function readSpan(
    route: MeterRoute,
    meterId: string,
    given: {
      readonly span: Span & { readonly cursor: string | undefined }
      readonly deduplicators: Set<string>
      readonly counts: Counts
      readonly nowMs: number
    },
  ): Promise<string | undefined> {
    const { span, deduplicators, counts, nowMs } = given
    let pages = 0
    for await (const { entries, next } of readEntries(ask, meterId, span)) {
      for (const { isDuplicate, operatorId } of entries) if (isDuplicate && operatorId) deduplicators.add(operatorId)
      counts.deduplicated += entries.filter(({ isDuplicate }) => isDuplicate).length
      const failures = entries.filter(({ isDuplicate }) => !isDuplicate)
      // Together, so that a page is one transaction.
      const results = await Promise.all(failures.map((entry) => enter(route, entry, nowMs)))
      for (const result of results) counts[result]++
      if (next !== undefined && ++pages >= maxPages) return next
    }
    return undefined
  }

  /** Whole hours since this relay's first one, a month at most. */
  async function spanToCompare(meter: string, nowMs: number): Promise<Span | undefined> {
    const [first] = await store.ledgerByHour({ meter, fromMs: nowMs - COMPARED_MS, limit: 1 })
    const untilMs = Math.floor((nowMs - SETTLING_MS) / HOUR_MS) * HOUR_MS
    return first && first.hourMs < untilMs ? { fromMs: first.hourMs, untilMs } : undefined
  }

  function enter({ meter, upstream }: MeterRoute, entry: AuditEntry, nowMs: number): Promise<ImportFailureResult> {
    const event = entry.row && unmapRow(upstream.fields, entry.row)
    if (!event) return Promise.resolve('unknown')
    const { isPartial, atMs = entry.atMs ?? nowMs, ...told } = event
    return store.buryForwarded(
      {
        ...{ ...told, tenant, meter: meter.name, atMs, needsEdit: isPartial, code: 'import_failed' },
        ...{ mark: `${meter.name} ${entry.mark}`, markExpiresAtMs: nowMs + MARK_LIFE_MS },
        detail: `${entry.code}: ${entry.message}`,
      },
      nowMs,
    )
  }

  /** A note that cannot be read is as good as none: what was dealt with before is known by its marks. */
  async function readMark(meter: string, nowMs: number): Promise<Mark> {
    const text = await store.note(noteOf(meter))
    return parseMark(text) ?? { readUntilMs: nowMs - FIRST_LOOK_MS, deduplicators: [] }
  }

  return {
    run({ sinceMs } = {}) {
      underWay ??= runAll(sinceMs).finally(() => {
        underWay = undefined
      })
      return underWay
    },
  }
}

function parseMark(text: string | undefined): Mark | undefined {
  try {
    return mark.safeParse(JSON.parse(text ?? '')).data
  } catch {
    return undefined
  }
}

function noteOf(meter: string): string {
  return `reconciled ${meter}`
}
