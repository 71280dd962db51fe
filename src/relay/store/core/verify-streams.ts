import type { Range } from '../../../wire/contract.ts'
import { coversAll, rangeCount } from '../../../wire/ranges.ts'
import { type StreamRow, toState } from './stream-row.ts'
import { balance } from './stream-state.ts'
import { keyOf, type Report, type StreamPlaces } from './verify-places.ts'

export interface CountedRow extends StreamRow {
  received: number
  rejected: number
}

const SUMS = {
  ...{ streams: 0, recorded: 0, received: 0, declared: 0, rejected: 0, forwarded: 0, dead: 0 },
  ...{ discarded: 0, deduplicated: 0, on_hold: 0, missing: 0 },
}

/** Checks rows one by one, and the totals at the end. */
export interface StreamChecker {
  add(row: CountedRow): void
  /** How many streams there were. */
  end(totals: Readonly<Record<string, unknown>> | undefined): number
}

/** Checks each stream's counts against its numbers and against where its events are. */
export function createStreamChecker(places: Map<string, StreamPlaces>, report: Report): StreamChecker {
  const sums = { ...SUMS }
  return {
    add(stream) {
      const key = keyOf(stream)
      checkStream(stream, places.get(key), (problem) =>
        report(`Stream ${stream.stream} of ${stream.account}: ${problem}`),
      )
      places.delete(key)
      const { declared, missing } = balance(toState(stream))
      const { recorded, received, rejected, forwarded, dead, discarded, deduplicated, on_hold } = stream
      const counts = {
        ...{ recorded, received, rejected, forwarded, dead, discarded, deduplicated, on_hold, declared, missing },
      }
      sums.streams++
      for (const [name, count] of Object.entries(counts)) sums[name as keyof typeof sums] += count
    },
    end(totals) {
      for (const key of places.keys()) report(`Events of ${key} are there, and no such stream.`)
      for (const [name, sum] of Object.entries(sums)) {
        // Beyond 2^53, where clients may push the counts of what they claim to have recorded, sums are not exact.
        const isExact = Math.abs(sum) <= Number.MAX_SAFE_INTEGER
        if (isExact && totals?.[name] !== sum)
          report(`The total of ${name} is ${totals?.[name]}; the streams have ${sum}.`)
      }
      return sums.streams
    },
  }
}

function checkStream(row: CountedRow, place: StreamPlaces | undefined, report: Report): void {
  const { held, refusedRanges, recorded } = toState(row)
  const { onTheWay = 0, held: onHold = 0, dead = 0, numbers = [] } = place ?? {}
  for (const ranges of [held, refusedRanges]) if (!isSorted(ranges)) report('its ranges are not in order.')
  if (held.some(([from, to]) => refusedRanges.some(([low, high]) => low <= to && from <= high))) {
    report('a number is both received and refused.')
  }
  const highest = Math.max(held.at(-1)?.[1] ?? -1, refusedRanges.at(-1)?.[1] ?? -1)
  if (highest >= recorded) report(`number ${highest} is known, and only ${recorded} are said to be recorded.`)
  if (numbers.some(([from, to]) => !coversAll(held, from, to))) report('an event is there that was never received.')
  expectCount('received', row.received, rangeCount(held), report)
  expectCount('rejected', row.rejected, rangeCount(refusedRanges), report)
  expectCount('dead', row.dead, dead, report)
  expectCount('on hold', row.on_hold, onHold, report)
  const known = row.forwarded + row.dead + row.discarded + row.deduplicated + row.on_hold + onTheWay
  if (row.received !== known) report(`it received ${row.received} events; ${known} are accounted for.`)
  for (const count of [row.forwarded, row.discarded, row.deduplicated]) if (count < 0) report('a count is negative.')
}

function expectCount(name: string, counted: number, found: number, report: Report): void {
  if (counted !== found) report(`${counted} events are counted as ${name}; there are ${found}.`)
}

/** Ascending, apart from one another. */
function isSorted(ranges: readonly Range[]): boolean {
  return ranges.every(([from, to], i) => from <= to && (i === 0 || from > (ranges[i - 1] as Range)[1] + 1))
}
