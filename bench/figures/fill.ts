import type { ReportFile } from '../contract.ts'
import { REGIONS, type Region } from './regions.ts'

const MARKED = /(<!-- figures:([\w-]+) -->)(.*?)(<!-- \/figures -->)/gs

/** The newest report that holds a region's figure. */
function renderFrom(region: Region, reports: readonly ReportFile[]): string | undefined {
  const newestFirst = reports
    .filter(({ bench }) => bench === region.bench)
    .toSorted((a, b) => b.startedAt.localeCompare(a.startedAt))
  for (const report of newestFirst) {
    const text = region.render(report)
    if (text !== undefined) return text
  }
  return undefined
}

/**
 * A page with its marked figures made anew from reports; what no report holds keeps its text.
 *
 * @throws RangeError for a region that nothing renders, and for the report of a quick form: those are not for quoting.
 */
export function fillFigures(page: string, reports: readonly ReportFile[]): string {
  const quick = reports.find((report) => report.quick)
  if (quick) throw new RangeError(`The result of ${quick.bench} is of the quick form. Run it without --quick.`)
  return page.replaceAll(MARKED, (_, begin: string, name: string, old: string, end: string) => {
    const region = REGIONS[name]
    if (!region) throw new RangeError(`Nothing renders ${name}: there are ${Object.keys(REGIONS).join(', ')}.`)
    return `${begin}${renderFrom(region, reports) ?? old}${end}`
  })
}

/** Names of the regions that a page marks. */
export function regionsIn(page: string): string[] {
  return [...page.matchAll(MARKED)].map(([, , name]) => name ?? '')
}
