/**
 * Refuses to publish what is not ready; npm runs it before `npm publish`, also with --dry-run.
 *
 *   node release/check.ts
 */
import { readFacts } from './facts.ts'
import { problemsOf } from './problems.ts'

const problems = problemsOf(readFacts(process.cwd()))
for (const problem of problems) console.error(`✗ ${problem}`)
if (problems.length > 0) process.exitCode = 1
else console.log('Ready to be published.')
