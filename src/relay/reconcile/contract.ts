/** What one run found out about one meter. */
export interface MeterReport {
  readonly meter: string
  /** Import failures that became dead letters in this run. */
  readonly buried: number
  /** Failures that were dealt with before, in an earlier run or by hand. */
  readonly known: number
  /** Failed rows that are no forwarded event of this relay, or whose account cannot be told. */
  readonly unknown: number
  /** Entries of the Deduplicator in this run's span: second copies that were not billed. */
  readonly deduplicated: number
  /** The two ledgers side by side; absent before the first whole hour. */
  readonly comparison?: Comparison
  /** Why the meter was not reconciled, or not to the end: the next run starts where this one did. */
  readonly failure?: string
  /** There is more to read than one run may: the next one goes on there. */
  readonly isUnfinished?: true
}

/**
 * Both ledgers over the same whole hours. They are written at either end of a call, so events of minutes around the ends
 * of the span may stand in one only: a difference that stays is one.
 */
export interface Comparison {
  readonly fromMs: number
  readonly untilMs: number
  /** Events that the upstream answered with success, by this relay's ledger. */
  readonly forwarded: number
  /** Events that the upstream says it passed on. */
  readonly accepted: number
  /** Events that the upstream says it failed, duplicates aside. */
  readonly failed: number
  readonly duplicates: number
  /**
   * forwarded − accepted − failed. Above 0: events that the upstream took are not in its books. Below 0: it counts
   * more than it was sent once, as it does for resent events when it counts before it removes duplicates.
   */
  readonly difference: number
}

export interface ReconcileReport {
  readonly startedAtMs: number
  readonly meters: readonly MeterReport[]
}

export interface Reconciler {
  /**
   * Asks the upstream about every meter since the last run (or since sinceMs, if that is earlier) and enters what it says. One run at a time:
   * a second caller gets the report of the run that is under way. Never rejects for the upstream's sake; see `failure`.
   */
  run(options?: { readonly sinceMs?: number }): Promise<ReconcileReport>
}
