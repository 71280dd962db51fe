import type { Chart, Report } from '../contract.ts'
import { figure } from '../harness/format.ts'
import type { Cost } from './cost.ts'
import { costBars, costNotes, costRatios, costTable, OURS } from './cost-report.ts'
import { fateBars, fateNotes, fateRatios, fateTable, isLossless, recordedInAll } from './fate-report.ts'
import type { FateResult } from './fates.ts'
import { peerVersions } from './install.ts'

export interface PeersResults {
  readonly events: number
  readonly costs: readonly Cost[]
  readonly fates: readonly FateResult[]
}

const KB = 1_000

function chartsOf({ events, costs, fates }: PeersResults): Chart[] {
  const names = costs.map(({ library }) => library.name)
  return [
    {
      name: 'peers-cost',
      title: `Main-thread time for a burst of ${figure(events)} events`,
      unit: 'ms of processor time',
      bars: costBars(costs),
      isLog: true,
    },
    {
      name: 'peers-fates',
      title: 'Events lost or doubled in four fates',
      unit: `events of ${figure(recordedInAll(fates, names))}`,
      bars: fateBars(fates, names),
    },
    {
      name: 'peers-bundle',
      title: 'Bundle, minified and gzipped',
      unit: 'kB',
      bars: costs
        .map(({ library: { name, bundleBytes } }) => ({
          label: name,
          value: bundleBytes / KB,
          highlight: name === OURS,
        }))
        .toSorted((a, b) => a.value - b.value),
    },
  ]
}

/** Of all that is known so far: what is missing is shown as such. */
export function peersReport(results: PeersResults): Report {
  const { events, costs, fates } = results
  const names = costs.map(({ library }) => library.name)
  return {
    ratios: [...fateRatios(fates), ...costRatios(costs, (name) => isLossless(fates, name))],
    tables: [costTable(costs, events), fateTable(fates, names)],
    charts: chartsOf(results),
    notes: [
      ...costNotes(costs, events),
      ...fateNotes(fates),
      `Peers: ${peerVersions().join(', ')}. Their configurations, with their sources: bench/peers/configs.`,
      'Lost: in no request by the end, after the next visit to the page too, within the form’s patience: what the quick form calls lost may only be late. Doubled: under two ids, or without any. Resent: a back end that keeps ids throws it away.',
      'Task and script time are processor time of the page’s main thread, from the first call until all is delivered and quiet, or until it is cut off.',
      'metertap’s bundle holds its meter’s schema library (zod) as well.',
    ],
  }
}
