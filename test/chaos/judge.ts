import type { Figures, StreamRow, Verdict } from './contract.ts'

export interface Evidence {
  /** Ids whose receipts said that they survive. */
  readonly promised: Iterable<string>
  /** Ids in agents' dead letters. */
  readonly buried: ReadonlySet<string>
  /** Ids in the relay's: the upstream said that it refuses them, which does not always mean that it has not stored them. */
  readonly refused: ReadonlySet<string>
  readonly ledger: readonly StreamRow[]
  /** The unique field of every row that the upstream would bill, doubles included. */
  readonly upstream: Iterable<string>
}

/** More sentences than this help nobody. */
const MAX_PROBLEMS = 50

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

const streamOf = (id: string): string => id.slice(0, id.lastIndexOf('-'))

/** Holds the ledgers against each other and against what was promised. Pure. */
export function judge({ promised, buried, refused, ledger, upstream }: Evidence): Verdict {
  const problems: string[] = []
  const billed = new Map<string, number>()
  let rows = 0
  for (const id of upstream) {
    rows++
    billed.set(id, (billed.get(id) ?? 0) + 1)
  }
  const doubled = [...billed].filter(([, times]) => times > 1)
  for (const [id, times] of doubled) problems.push(`${id} would be billed ${times} times.`)
  let promises = 0
  let promisedLost = 0
  for (const id of promised) {
    promises++
    if (billed.has(id) || buried.has(id) || refused.has(id)) continue
    promisedLost++
    problems.push(`${id} was durable and has not arrived.`)
  }
  const known = new Map(ledger.map((row) => [row.stream, row]))
  const billedOf = new Map<string, number>()
  for (const id of billed.keys()) {
    const count = billedOf.get(streamOf(id)) ?? 0
    billedOf.set(streamOf(id), refused.has(id) ? count : count + 1)
  }
  for (const row of ledger) problems.push(...equations(row, billedOf.get(row.stream) ?? 0))
  for (const stream of billedOf.keys()) {
    if (!known.has(stream)) problems.push(`${stream} is billed, and the relay does not know it.`)
  }
  const figures = figuresOf(ledger, {
    promised: promises,
    promisedLost,
    doubled: doubled.length,
    upstream: rows,
    refused: refused.size,
  })
  return { ok: problems.length === 0, problems: problems.slice(0, MAX_PROBLEMS), figures }
}

/** What must hold of one stream when everything has come to rest. */
function equations(row: StreamRow, billed: number): string[] {
  const problems: string[] = []
  const declared = sum(row.declared)
  const must = (what: string, left: number, right: number) => {
    if (left !== right) problems.push(`${row.stream}: ${what} (${left} ≠ ${right}).`)
  }
  must(
    'recorded = received + declared + rejected + missing',
    row.recorded,
    row.received + declared + row.rejected + row.missing,
  )
  must(
    'received = forwarded + dead + discarded + deduplicated + held',
    row.received,
    row.forwarded + row.dead + row.discarded + row.deduplicated + row.held,
  )
  must('forwarded = billed upstream', row.forwarded, billed)
  return problems
}

type Counted = Pick<Figures, 'promised' | 'promisedLost' | 'doubled' | 'upstream' | 'refused'>

function figuresOf(ledger: readonly StreamRow[], counted: Counted): Figures {
  const total = (of: (row: StreamRow) => number) => ledger.reduce((all, row) => all + of(row), 0)
  return {
    streams: ledger.length,
    recorded: total((row) => row.recorded),
    promised: counted.promised,
    received: total((row) => row.received),
    declared: total((row) => sum(row.declared)),
    forwarded: total((row) => row.forwarded),
    refused: counted.refused,
    upstream: counted.upstream,
    missing: total((row) => row.missing),
    promisedLost: counted.promisedLost,
    doubled: counted.doubled,
  }
}
