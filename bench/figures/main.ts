/**
 * Writes the figures of bench/results/*.json into README.md, each between `<!-- figures:NAME -->` and `<!-- /figures -->`.
 * What has no result keeps its text.
 *
 *   npm run figures
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fillFigures, regionsIn } from './fill.ts'
import { REGIONS } from './regions.ts'
import { readResults } from './results.ts'

const PAGE = join(import.meta.dirname, '../../README.md')

const page = readFileSync(PAGE, 'utf8')
const results = readResults()
for (const { bench, startedAt, machine } of results) {
  const { loadBefore, loadAfter = 0, cores } = machine
  const busy = Math.max(loadBefore, loadAfter) > cores ? '  ! others used the machine meanwhile' : ''
  console.log(`${bench.padEnd(8)} ${startedAt}  load ${loadBefore} before, ${loadAfter} after${busy}`)
}
const missing = Object.keys(REGIONS).filter((name) => !results.some(({ bench }) => bench === REGIONS[name]?.bench))
if (missing.length > 0) console.log(`No result, left as they are: ${missing.join(', ')}`)
const unmarked = Object.keys(REGIONS).filter((name) => !regionsIn(page).includes(name))
if (unmarked.length > 0) console.log(`Not marked in README.md: ${unmarked.join(', ')}`)
writeFileSync(PAGE, fillFigures(page, results))
