import type { Survey } from './file.ts'
import type { Tally } from './tally.ts'

/** The figures as a table, each beside what the file says it should be. */
export function printTable(tally: Tally, { events, bytes, invalid }: Survey): void {
  const rows: readonly (readonly [what: string, found: number | bigint, expected: number | bigint])[] = [
    ['recorded by the browser', tally.recorded, events],
    ['received by the relay', tally.received, events],
    ['forwarded by the relay', tally.forwarded, events],
    ['billable in Zuora', tally.upstream, events],
    ['billed twice', tally.duplicates, 0],
    ['missing', tally.missing, 0],
    ['refused by the relay', tally.rejected, 0],
    ['refused by Zuora', tally.dead, 0],
    ['bytes, summed by Zuora', BigInt(tally.bytes), bytes],
  ]
  console.log(tableLine('', 'found', 'in the file', ''))
  for (const [what, found, expected] of rows) {
    console.log(tableLine(what, format(found), format(expected), found === expected ? '✓' : '✗ differs'))
  }
  if (tally.deduplicated > 0) console.log(`Resends that Zuora's Deduplicator stopped: ${format(tally.deduplicated)}.`)
  if (invalid > 0) console.log(`Lines that are no usage event, refused by record(): ${format(invalid)}.`)
}

/** The result as one line of JSON. */
export function resultLine(tally: Tally, isOk: boolean): string {
  const { recorded, received, forwarded, upstream, duplicates, missing, bytes } = tally
  const figures = { recorded, received, forwarded, upstream, duplicates, missing }
  return JSON.stringify({ ...figures, quantitySum: { bytes: Number(bytes) }, ok: isOk })
}

function tableLine(what: string, found: string, expected: string, verdict: string): string {
  return `${what.padEnd(24)}${found.padStart(18)}${expected.padStart(18)}  ${verdict}`.trimEnd()
}

function format(figure: number | bigint): string {
  return figure.toLocaleString('en')
}
