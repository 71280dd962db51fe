import type { MeterReport, ReconcileReport, Reconciler } from '../reconcile/contract.ts'
import type { ReconcileFace } from './contract.ts'

export interface EdgeReconcilerDeps {
  readonly face: ReconcileFace
  readonly meters: readonly string[]
  readonly clock: () => number
}

/** Calls of one run, so that it ends within what a Worker's request may do; the next run goes on. */
const MAX_CALLS = 400

/** The reconciler as a Worker sees it: meter after meter is a call to the gate, and a long trail several. */
export function createEdgeReconciler({ face, meters, clock }: EdgeReconcilerDeps): Reconciler {
  let underWay: Promise<ReconcileReport> | undefined

  async function runAll(sinceMs: number | undefined): Promise<ReconcileReport> {
    const startedAtMs = clock()
    const reports: MeterReport[] = []
    let calls = 0
    for (const meter of meters) {
      let report = await face.reconcile(meter, sinceMs)
      for (calls++; report.isUnfinished === true && calls < MAX_CALLS; calls++) {
        report = add(report, await face.reconcile(meter))
      }
      reports.push(report)
    }
    return { startedAtMs, meters: reports }
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

function add(before: MeterReport, more: MeterReport): MeterReport {
  return {
    ...more,
    buried: before.buried + more.buried,
    known: before.known + more.known,
    unknown: before.unknown + more.unknown,
    deduplicated: before.deduplicated + more.deduplicated,
  }
}
