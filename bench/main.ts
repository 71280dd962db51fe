/**
 * The claims of the README as commands.
 *
 *   npm run bench -- <agent|peers|relay|scale|wire|size|profile> [--quick] [--rounds N] [--only TEXT] [--json FILE] [--charts FOLDER]
 *
 * The report goes to stdout, progress to stderr. What is known of a bench that is ended early stands in FILE.partial,
 * where the bench keeps it. Charts are written by the full form to bench/charts, or by either form
 * to a folder that is named.
 */
import { writeFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { findEngine } from '../test/support/engines.ts'
import { agentBench } from './agent/bench.ts'
import { profileBench } from './agent/profile.ts'
import type { Bench, Report, ReportFile } from './contract.ts'
import { reportText } from './harness/format.ts'
import { load, machineFacts } from './harness/machine.ts'
import { chartSvg } from './harness/svg.ts'
import { peersBench } from './peers/bench.ts'
import { relayBench } from './relay/bench.ts'
import { scaleBench } from './scale/bench.ts'
import { sizeBench } from './size/bench.ts'
import { wireBench } from './wire/bench.ts'

const BENCHES: readonly Bench[] = [agentBench, peersBench, relayBench, scaleBench, wireBench, sizeBench, profileBench]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    charts: { type: 'string' },
  },
})

function chosen(): Bench {
  const bench = BENCHES.find(({ name }) => name === positionals[0])
  if (bench) return bench
  const list = BENCHES.map(({ name, title }) => `  ${name.padEnd(8)} ${title}`).join('\n')
  console.error(`npm run bench -- NAME [--quick] [--rounds N] [--only TEXT] [--json FILE] [--charts FOLDER]\n${list}`)
  process.exit(1)
}

function readRounds(fallback: number): number {
  const rounds = Number(values.rounds ?? fallback)
  if (Number.isSafeInteger(rounds) && rounds > 0) return rounds
  throw new RangeError('--rounds must be a whole number from 1 up.')
}

const bench = chosen()
const { quick, only } = values
const rounds = readRounds(bench.defaultRounds[quick ? 'quick' : 'full'])
const machine = machineFacts([findEngine('chromium') ?? 'chromium'])
const startedAt = new Date()
const tell = (text: string): void => console.error(`  ${text}`)
console.error(`${bench.title}: ${quick ? 'quick' : 'full'} form, ${rounds} rounds`)

function fileOf(report: Report): ReportFile {
  const durationMs = Date.now() - startedAt.getTime()
  const facts = { quick, rounds, startedAt: startedAt.toISOString(), durationMs }
  return { bench: bench.name, ...facts, machine: { ...machine, loadAfter: load() }, ...report }
}

/** What is known when the bench is ended early; the whole report takes its place. */
const partial = values.json && `${values.json}.partial`
function keep(report: Report): void {
  if (partial) writeFileSync(partial, `${JSON.stringify(fileOf(report), null, 2)}\n`)
}

if (values.json) await mkdir(dirname(values.json), { recursive: true })
const report = await bench.run({ quick, rounds, only, tell, keep })
const file = fileOf(report)

const chartFolder = values.charts ?? (quick ? undefined : join(import.meta.dirname, 'charts'))
if (chartFolder) await mkdir(chartFolder, { recursive: true })
for (const chart of chartFolder ? report.charts : []) {
  await writeFile(join(chartFolder as string, `${chart.name}.svg`), chartSvg(chart))
}
if (values.json) {
  await writeFile(values.json, `${JSON.stringify(file, null, 2)}\n`)
  await rm(`${partial}`, { force: true })
}
const { cpu, cores, memoryGiB, system, node, loadBefore, loadAfter, versions } = file.machine
console.log(reportText(report))
console.log(`\n${cores} × ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, ${Object.values(versions).join(', ')}`)
console.log(`Load ${loadBefore} before, ${loadAfter} after; ${Math.round(file.durationMs / 1000)} s.`)
