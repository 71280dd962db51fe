import type { HeldRun, ReceiptReport } from '../contract.ts'

/** What one cell's pages were told and what their outbox held: the other side of the relay's count. */
export class Book {
  readonly recorded = new Set<string>()
  readonly durable = new Set<string>()
  readonly failed = new Set<string>()
  /** Calls that gave no id. */
  refused = 0
  /** By what they survive. */
  readonly levels: Record<string, number> = {}
  /** Not even events that were not durable yet. */
  nothingMayBeLost = false
  readonly problems: string[] = []
  readonly notes: string[] = []

  record(ids: readonly string[]): void {
    for (const id of ids) this.recorded.add(id)
  }

  receipts({ durable, failed, refused }: ReceiptReport): void {
    for (const [level, ids] of Object.entries(durable)) {
      this.levels[level] = ids.length
      if (level !== 'memory') for (const id of ids) this.durable.add(id)
    }
    for (const ids of Object.values(failed)) for (const id of ids) this.failed.add(id)
    for (const count of Object.values(refused)) this.refused += count
  }

  held(runs: readonly HeldRun[]): void {
    for (const [stream, first, count] of runs) {
      for (let seq = first; seq < first + count; seq++) this.durable.add(`${stream}-${seq}`)
    }
  }

  /** Something that fails the cell though no event was lost. */
  problem(text: string): void {
    this.problems.push(text)
  }

  expect(isTrue: boolean, text: string): void {
    if (!isTrue) this.problem(text)
  }

  note(text: string): void {
    this.notes.push(text)
  }
}
