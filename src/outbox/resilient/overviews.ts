import type { Outbox, OutboxTotals, StreamSummary } from '../contract.ts'
import { byStream } from '../core/tables.ts'
import { byNumber, eventKey } from '../memory/tables.ts'
import type { Held } from './held.ts'
import { addTotals, mergeSummary, waitingOf } from './merge.ts'

const NOTHING: OutboxTotals = { events: 0, bytes: 0, deadLetters: 0 }

/** What there is in both places, or, when the primary cannot be read, in memory alone. */
export function overviews(held: Held, primary: Outbox): Pick<Outbox, 'totals' | 'streams' | 'deadLetters'> {
  async function merged(): Promise<{ stored: StreamSummary[]; summaries: StreamSummary[] }> {
    const stored = await primary.streams().catch(() => [])
    const known = byStream(stored)
    const here = [...held.rows.heads.values()].map((head) =>
      mergeSummary(known.get(head.stream), held.storedHead(head.stream), head, held.progress(head.stream)),
    )
    const others = stored.filter(({ stream }) => !held.rows.heads.has(stream))
    const summaries = [...others, ...here].sort((a, b) => (a.stream < b.stream ? -1 : 1))
    return { stored, summaries }
  }

  return {
    streams: async () => (await merged()).summaries,
    async totals() {
      const { stored, summaries } = await merged()
      const totals = await primary.totals().catch(() => NOTHING)
      const waiting = (streams: readonly StreamSummary[]) => streams.reduce((sum, each) => sum + waitingOf(each), 0)
      const events = waiting(summaries) - (totals === NOTHING ? 0 : waiting(stored))
      return addTotals(totals, { events, bytes: bytesOf(held), deadLetters: held.letters().length })
    },
    async deadLetters() {
      const stored = await primary.deadLetters().catch(() => [])
      // A burial in doubt leaves its letter in both places; and one that was deleted here has gone for the caller.
      const others = stored.filter((letter) => !held.rows.dead.has(eventKey(letter)))
      return [...others, ...held.letters()].sort(byNumber)
    },
  }
}

function bytesOf(held: Held): number {
  let bytes = 0
  for (const rows of held.rows.segments.values()) for (const row of rows.values()) bytes += row.bytes
  return bytes
}
