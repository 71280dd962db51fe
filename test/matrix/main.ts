/**
 * The crash matrix: every way of ending × every moment, in real engines, against the real relay.
 *
 *   node test/matrix/main.ts [--engine chromium,firefox,webkit] [--only <text>] [--quick] [--json <file>]
 *
 * `--only` takes cells whose "scenario/moment" holds the text. Ends with 1 when a durable event is lost, an event is
 * doubled, or a cell fails otherwise.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Engine, requireEngine } from '../support/engines.ts'
import { type CellResult, MOMENTS } from './contract.ts'
import { killBrowsers } from './engines/browser.ts'
import { DRIVERS } from './engines/drivers.ts'
import { type Cell, recheck, runEngine, skipped } from './run.ts'
import { SCENARIOS } from './scenarios/all.ts'
import { startWorld } from './server/world.ts'
import { lineOf, summaryOf, tableOf } from './table.ts'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'chromium,firefox,webkit' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const { only, quick } = values
const engines = (quick ? 'chromium' : values.engine).split(',').map((name) => {
  if (!Object.hasOwn(DRIVERS, name)) throw new Error(`--engine: ${name} is none of ${Object.keys(DRIVERS).join(', ')}.`)
  return name as Engine
})
const jsonFile = values.json ?? process.env.METERTAP_MATRIX_JSON

const cells: Cell[] = SCENARIOS.flatMap((scenario) => MOMENTS.map((moment) => ({ scenario, moment })))
  .filter(({ scenario, moment }) => !quick || scenario.quick?.includes(moment))
  .filter(({ scenario, moment }) => `${scenario.name}/${moment}`.includes(only))

const results: CellResult[] = []
const onResult = (result: CellResult): void => {
  results.push(result)
  console.log(lineOf(result))
}

/** The reason why this engine cannot be had; undefined when it can. */
function missing(engine: Engine): string | undefined {
  try {
    requireEngine(engine)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

const startedMs = performance.now()
const world = await startWorld()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killBrowsers()
    process.exit(1)
  })
}
for (const engine of engines) {
  const reason = missing(engine)
  if (reason !== undefined) for (const cell of cells) onResult(skipped(engine, cell, reason))
  else await runEngine({ engine, driver: DRIVERS[engine], world, cells, onResult })
}
const checked = await Promise.all(results.map((result) => recheck(world, result)))
await world.close()

console.log(tableOf(checked))
console.log(summaryOf(checked, performance.now() - startedMs))
if (jsonFile) await writeFile(jsonFile, `${JSON.stringify(checked, null, 2)}\n`)
if (checked.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1
