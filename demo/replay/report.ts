import type { Survey } from './file.ts'
import type { Tally } from './tally.ts'

/** The figures as a table, each beside what the file says it should be. */
export function printTable(tally: Tally, { events, bytes, invalid }: Survey): void {
  const row = (what: string, found: number | string, expected: number | string) => ({
    what,
    found,
    expected,
    agrees: String(found) === String(expected) ? 'yes' : 'NO',
  })
  const rows = [
    row('recorded by the browser', tally.recorded, events),
    row('received by the relay', tally.received, events),
    row('forwarded by the relay', tally.forwarded, events),
    row('billable in Zuora', tally.upstream, events),
    row('billed twice', tally.duplicates, 0),
    row('missing', tally.missing, 0),
    row('refused by the relay', tally.rejected, 0),
    row('refused by Zuora', tally.dead, 0),
    row('bytes, summed by Zuora', tally.bytes, String(bytes)),
  ]
  console.table(Object.fromEntries(rows.map(({ what, ...figures }) => [what, figures])))
  if (tally.deduplicated > 0) console.log(`Resends that Zuora's Deduplicator stopped: ${tally.deduplicated}.`)
  if (invalid > 0) console.log(`Lines that are no usage event, refused by record(): ${invalid}.`)
}

/** The result as one line of JSON. */
export function resultLine(tally: Tally, isOk: boolean): string {
  const { recorded, received, forwarded, upstream, duplicates, missing, bytes } = tally
  const figures = { recorded, received, forwarded, upstream, duplicates, missing }
  return JSON.stringify({ ...figures, quantitySum: { bytes: Number(bytes) }, ok: isOk })
}
