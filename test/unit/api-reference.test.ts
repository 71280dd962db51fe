import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'metertap-api-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What typedoc complains of; empty: nothing. */
async function complaintsOf(...args: string[]): Promise<string> {
  const program = resolve('node_modules/typedoc/bin/typedoc')
  try {
    await run(process.execPath, [program, '--options', 'typedoc.json', '--emit', 'none', ...args])
    return ''
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return `${stdout}${stderr}` || String(error)
  }
}

test('everything public is documented, and every {@link} leads somewhere: npm run docs', async () => {
  expect(await complaintsOf()).toBe('')
}, 180_000)

test('what is not documented, and a broken {@link}, is an error', async () => {
  const entry = join(folder, 'entry.ts')
  const tsconfig = join(folder, 'tsconfig.json')
  writeFileSync(tsconfig, '{ "compilerOptions": { "types": [] }, "files": ["entry.ts"] }')
  writeFileSync(entry, '/** See {@link Nowhere}. */\nexport const linked = 1\nexport const silent = 2\n')
  const said = await complaintsOf(
    '--entryPoints',
    entry,
    '--tsconfig',
    tsconfig,
    '--intentionallyNotDocumented',
    'none',
  )
  expect(said).toMatch(/"Nowhere"/)
  expect(said).toMatch(/silent .*does not have any documentation/)
  expect(said).not.toMatch(/linked .*does not have any documentation/)
}, 180_000)

test('the reference has every entry with types of its own', () => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> }
  const typed = Object.values(exports).flatMap((target) => (target as { types?: string }).types ?? [])
  const config = readFileSync('typedoc.json', 'utf8')
  const sources = typed.map((file) => file.replace('./dist/', 'src/').replace('.d.ts', '.ts'))
  expect(sources.length).toBeGreaterThan(10)
  expect(sources.filter((file) => !config.includes(`"${file}"`))).toEqual([])
})
