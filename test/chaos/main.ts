/**
 * Lets everything go wrong and holds the ledgers against each other.
 *
 *   npm run chaos -- [--seed S] [--seeds N] [--minutes M] [--only browser,node,worker] [--json FILE] [--verbose]
 *
 * `--seeds N` runs N seeds one after the other, S, S + 1 …, for M minutes each. The last line is the result as JSON; the
 * exit status is 0 only when every equation holds for every stream. A failing seed is run again with `--seed S`.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type ChaosResult, runChaos } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`--${name} ${text}: give a number greater than 0.`)
}

const first = values.seed === undefined ? Date.now() % 1_000_000_000 : numberOf('seed', values.seed)
const seeds = numberOf('seeds', values.seeds)
const durationMs = numberOf('minutes', values.minutes) * 60_000
const only = values.only === undefined ? {} : { only: values.only.split(',') }

const results: ChaosResult[] = []
for (let seed = first; seed < first + seeds; seed++) {
  const startMs = performance.now()
  const say = (text: string) =>
    console.log(`seed ${seed}  ${Math.round((performance.now() - startMs) / 1_000)} s  ${text}`)
  const result = await runChaos({
    ...{ seed, durationMs, ...only, onPhase: say },
    onStrike: ({ actor, kind }) => values.verbose && say(`${actor}: ${kind}`),
  })
  results.push(result)
  say(result.ok ? 'every equation holds' : result.problems.join('\n'))
  console.log(
    JSON.stringify({ seed, ok: result.ok, strikes: result.strikes, ...result.figures, inMemory: result.inMemory }),
  )
}
if (values.json) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`)
const failed = results.filter(({ ok }) => !ok).map(({ seed }) => seed)
console.log(JSON.stringify({ ok: failed.length === 0, seeds: results.length, failed }))
if (failed.length > 0) process.exitCode = 1
