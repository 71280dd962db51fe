import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { testFolder } from '../support/sqlite-home.ts'

/** What a program of either kind does with the built package, under its own name. */
const PROGRAM = `
const calls = defineMeter('calls', { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } })
const usage = createAgent({ folder: process.argv[2], relay: 'http://127.0.0.1:9', token: () => 'token', meters: [calls] })
usage.record(calls, { n: 1 }).durable.then((durability) => {
  console.log(durability, typeof MetertapError)
  process.exit(0)
})
`

test.each([
  ['required by CommonJS', 'cjs', `const { createAgent, defineMeter, MetertapError } = require('metertap/node')`],
  ['imported by a module', 'mjs', `import { createAgent, defineMeter, MetertapError } from 'metertap/node'`],
])('the built entry for Node, %s, records', (_, extension, first) => {
  expect(existsSync('dist/node.js'), 'npm run build comes first').toBe(true)
  // Below dist/, so that the package is found by its own name.
  const file = join('dist', `use-node.${extension}`)
  onTestFinished(() => rmSync(file))
  writeFileSync(file, `${first}\n${PROGRAM}`)
  const { stdout, stderr } = spawnSync(process.execPath, [file, testFolder()], { encoding: 'utf8' })
  expect(stderr.replaceAll(/^.*ExperimentalWarning.*\n.*\n?/gm, '')).toBe('')
  expect(stdout).toBe('process function\n')
})

test('the built entry for Node holds nothing of a page, nor of the relay', () => {
  const seen = new Set<string>()
  const read = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const [, path] of readFileSync(join('dist', file), 'utf8').matchAll(/(?:from|import)\s*'(\.[^']+)'/g)) {
      read(join(file, '..', path as string))
    }
  }
  read('node.js')
  const text = [...seen].map((file) => readFileSync(join('dist', file), 'utf8')).join('\n')
  expect(text).toContain('node:sqlite')
  for (const foreign of ['localStorage', 'BroadcastChannel', 'indexedDB.open', "from 'hono", "from 'pino'"]) {
    expect(text, foreign).not.toContain(foreign)
  }
})
