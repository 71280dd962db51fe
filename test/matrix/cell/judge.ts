import type { LedgerRow } from '../../../src/relay/store/contract.ts'
import type { CellResult } from '../contract.ts'
import type { Book } from './book.ts'

export interface Evidence {
  readonly book: Book
  /** How often the relay bills each event. */
  readonly billed: ReadonlyMap<string, number>
  readonly ledger: readonly LedgerRow[]
  readonly duplicates: number
  readonly requests: number
}

type Verdict = Omit<CellResult, 'engine' | 'scenario' | 'moment' | 'durationMs'>

function sum<T>(list: Iterable<T>, of: (item: T) => number): number {
  let total = 0
  for (const item of list) total += of(item)
  return total
}

/** Holds what the pages were told against what the relay has. */
export function judge({ book, billed, ledger, duplicates, requests }: Evidence): Verdict {
  const missing = [...book.recorded].filter((id) => !billed.has(id) && !book.failed.has(id))
  const lostDurable = [...book.durable].filter((id) => !billed.has(id)).length
  const doubled = sum(billed.values(), (times) => times - 1)
  const strangers = [...billed.keys()].filter((id) => !book.recorded.has(id)).length
  const billedThoughRefused = [...book.failed].filter((id) => billed.has(id)).length
  const problems = [...book.problems]
  const check = (isTrue: boolean, text: string) => void (isTrue || problems.push(text))
  check(lostDurable === 0, `${lostDurable} durable events lost`)
  check(doubled === 0, `${doubled} events doubled`)
  check(strangers === 0, `${strangers} events that no page recorded`)
  check(billedThoughRefused === 0, `${billedThoughRefused} events billed whose receipts had refused them`)
  check(!book.nothingMayBeLost || missing.length === 0, `${missing.length} events lost where none may be`)
  const ledgerReceived = sum(ledger, (row) => row.received)
  check(ledgerReceived === billed.size, `the ledger counts ${ledgerReceived}, the deliveries hold ${billed.size}`)
  const ledgerMissing = sum(ledger, (row) => row.missing)
  check(ledgerMissing <= missing.length, `the ledger misses ${ledgerMissing}, the pages ${missing.length}`)
  return {
    outcome: problems.length > 0 ? 'failed' : 'passed',
    recorded: book.recorded.size,
    durable: book.durable.size,
    refused: book.refused + book.failed.size,
    received: billed.size,
    lost: missing.length,
    lostDurable,
    doubled,
    resent: duplicates,
    requests,
    notes: [...problems, ...book.notes],
  }
}
