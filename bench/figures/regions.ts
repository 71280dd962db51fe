import type { Ratio, Report } from '../contract.ts'
import { figure, spread } from '../harness/format.ts'
import { peersTable } from './peers-table.ts'

/** A figure of the README: the bench that gives it, and its text; undefined where a report does not hold it. */
export interface Region {
  readonly bench: string
  render(report: Report): string | undefined
}

type Find = (name: string) => Ratio | undefined

/** Text made of one ratio or several; none of it without all of them. */
function ofRatios(names: readonly string[], write: (...found: Ratio[]) => string): Region['render'] {
  return ({ ratios }) => {
    const find: Find = (name) => ratios.find((ratio) => ratio.name.startsWith(name))
    const found = names.flatMap((name) => find(name) ?? [])
    return found.length === names.length ? write(...found) : undefined
  }
}

const times = ({ value }: Ratio): string => `×${spread(value)}`
const kilobytes = ({ value }: Ratio): string => `${value.median.toFixed(1)} kB`
const ms = ({ value }: Ratio): string => figure(value.median)

function wanted({ atMost, atLeast }: Ratio): string {
  const target = atMost ?? atLeast
  return target === undefined ? '' : ` (wanted: ×${figure(target)})`
}

/** Rows that begin with a label, in the table whose title begins with another. */
function column(report: Report, title: string, name: string): readonly (string | number)[] | undefined {
  const table = report.tables.find((each) => each.title.startsWith(title))
  const at = table?.columns.indexOf(name) ?? -1
  return at < 0 ? undefined : table?.rows.map((row) => row[at] ?? '–')
}

const BURST = 'burst of 5,000: '
const RELAY = '500 a batch, 16 connections: '
const FLAT = 'accepting beside'
const FIRST = 'kB gzip before the first record()'
const USUAL = 'kB gzip to record and to send'
const ALL = 'kB gzip in all'

/** Every figure that README.md may mark as `<!-- figures:NAME -->…<!-- /figures -->`. */
export const REGIONS: Readonly<Record<string, Region>> = {
  'agent-time': {
    bench: 'agent',
    render: ofRatios(
      [`${BURST}main-thread`, 'burst of 5,000, warm: main-thread'],
      (fresh, warm) => `${times(fresh)} on a fresh page, ${times(warm)} on one that has sent before${wanted(fresh)}`,
    ),
  },
  'agent-longest-task': {
    bench: 'agent',
    render: ofRatios(
      [`${BURST}longest task`, 'burst of 100,000: longest task'],
      (small, large) => `${ms(small)} ms; ${ms(large)} ms`,
    ),
  },
  'wire-best-peer': { bench: 'wire', render: ofRatios(['bytes over the best peer’s'], times) },
  relay: {
    bench: 'relay',
    render: ofRatios(
      [`${RELAY}events/s over the commit floor`, 'p99 at half of the peak'],
      (commit, p99) => `${times(commit)}${wanted(commit)}; p99 ${ms(p99)} ms at half of its peak`,
    ),
  },
  'scale-relays': {
    bench: 'scale',
    render: (report) =>
      column(report, 'Durable acknowledgements in one PostgreSQL', 'events/s')
        ?.map((value) => (typeof value === 'number' ? (Math.round(value / 1_000) * 1_000).toLocaleString('en') : value))
        .join('; '),
  },
  'scale-flat': { bench: 'scale', render: ofRatios([FLAT], times) },
  'size-first': { bench: 'size', render: ofRatios([FIRST], kilobytes) },
  size: {
    bench: 'size',
    render: ofRatios([FIRST, USUAL, ALL], (...pieces) => pieces.map(kilobytes).join('; ')),
  },
  peers: { bench: 'peers', render: peersTable },
  'size-inspector': {
    bench: 'size',
    render: ({ tables }) => {
      const all = tables[0]?.rows.find(([entry]) => entry === 'metertap/inspector')?.at(-1)
      return typeof all === 'number' ? `${all.toFixed(1)} kB` : undefined
    },
  },
}
