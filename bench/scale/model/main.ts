/**
 * What a load needs, by the measured points of bench/scale/measured.json.
 *
 *   npm run scale -- [--load 1000000] [--batch 500] [--only TABLE] [--docs]
 *
 * Every name of the load in bench/scale/model/load.ts is an option, such as --meters 3 or --tier central-sandbox.
 * `--docs` writes the tables of the default load into docs/scale.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tableText } from '../../harness/format.ts'
import { loadFrom, MILLION, SHORT_NAMES } from './load.ts'
import { fillPage } from './markdown.ts'
import { readMeasured } from './measured.ts'
import { tablesOf } from './tables.ts'

const PAGE = join(import.meta.dirname, '../../../docs/scale.md')
const names = [...Object.keys(SHORT_NAMES), ...Object.keys(MILLION)]

function readOptions() {
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(names.map((name) => [name, { type: 'string' } as const])),
      only: { type: 'string', default: '' },
      docs: { type: 'boolean', default: false },
    },
  })
  const { only, docs, ...given } = values
  return { only: String(only), docs, load: loadFrom(given as Readonly<Record<string, string | undefined>>) }
}

function optionsOrExit(): ReturnType<typeof readOptions> {
  try {
    return readOptions()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}

const { only, docs, load } = optionsOrExit()
const measured = readMeasured()
if (docs) {
  writeFileSync(PAGE, fillPage(readFileSync(PAGE, 'utf8'), tablesOf(MILLION, measured)))
} else {
  console.log(
    Object.entries(load)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
  for (const table of tablesOf(load, measured)) {
    if (table.name.includes(only)) console.log(`\n${tableText(table)}`)
  }
}
