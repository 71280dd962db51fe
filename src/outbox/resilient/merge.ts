import type { OutboxTotals, StreamHead, StreamSummary } from '../contract.ts'
import { summaryOf } from '../core/accounting.ts'
import { noProgress } from '../core/progress.ts'
import type { Progress } from '../core/tables.ts'
import { sumOf } from '../core/tallies.ts'

/** What one stream is, by what the primary knows of it (its summary, and the head it was given) and what is held. */
export function mergeSummary(
  known: StreamSummary | undefined,
  storedHead: StreamHead | undefined,
  head: StreamHead,
  held: Progress,
): StreamSummary {
  const newest = summaryOf(head, noProgress(head.stream))
  const dropped = new Map(Object.entries(newest.dropped))
  for (const [reason, count] of Object.entries(known?.dropped ?? {})) {
    const later = count - (new Map(Object.entries(storedHead?.dropped ?? {})).get(reason) ?? 0)
    if (later > 0) dropped.set(reason, (dropped.get(reason) ?? 0) + later)
  }
  return {
    ...newest,
    settled: (known?.settled ?? 0) + held.settled,
    dead: (known?.dead ?? 0) + held.dead,
    dropped: Object.fromEntries(dropped),
  }
}

/** Events that wait, by the equation. */
export function waitingOf({ recorded, settled, dead, dropped }: StreamSummary): number {
  return Math.max(0, recorded - settled - dead - sumOf(dropped))
}

export function addTotals(a: OutboxTotals, b: OutboxTotals): OutboxTotals {
  return { events: a.events + b.events, bytes: a.bytes + b.bytes, deadLetters: a.deadLetters + b.deadLetters }
}
