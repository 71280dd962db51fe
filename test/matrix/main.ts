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
import { type Engine, findEngine, requireEngine } from '../support/engines.ts'
import { type CellResult, MOMENTS } from './contract.ts'
import { DRIVERS } from './engines/drivers.ts'
import { type Cell, runEngine, skipped } from './run.ts'
import { SCENARIOS } from './scenarios/all.ts'
import { startWorld } from './server/world.ts'
import { lineOf, tableOf } from './table.ts'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'chromium,firefox,webkit' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const { only, quick } = values
const engines = (quick ? 'chromium' : values.engine).split(',') as Engine[]
const jsonFile = values.json ?? process.env['METERTAP_MATRIX_JSON']

const cells: Cell[] = SCENARIOS.flatMap((scenario) => MOMENTS.map((moment) => ({ scenario, moment })))
  .filter(({ scenario, moment }) => !quick || scenario.quick?.includes(moment))
  .filter(({ scenario, moment }) => `${scenario.name}/${moment}`.includes(only))

const results: CellResult[] = []
const onResult = (result: CellResult): void => {
  results.push(result)
  console.log(lineOf(result))
}

await using world = { ...(await startWorld()), [Symbol.asyncDispose]: () => Promise.resolve() }
const startedMs = performance.now()
for (const engine of engines) {
  const driver = DRIVERS[engine]
  try {
    requireEngine(engine)
  } catch (error) {
    for (const cell of cells) onResult(skipped(engine, cell, (error as Error).message))
    continue
  }
  await runEngine({ engine, driver, world, cells, onResult })
  await driver.dispose?.()
}
await world.close()
console.log(tableOf(results))
console.log(`${Math.round((performance.now() - startedMs) / 1_000)} s`)
void findEngine
if (jsonFile) await writeFile(jsonFile, `${JSON.stringify(results, null, 2)}\n`)
if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1
