import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FRAMEWORKS } from '../../src/relay/cli/init/contract.ts'
import { draftsFor } from '../../src/relay/cli/init/drafts.ts'
import { LINES } from '../../src/relay/cli/init/lines.ts'
import { type Block, readBlocks } from '../support/docs/blocks.ts'
import { typeCheck } from '../support/docs/type-check.ts'

const CLI = resolve('src/cli.ts')
const FILES = ['.env.relay', '.gitignore', 'meters.ts', 'relay.config.ts']

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-init-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: unknown
  readonly out: string
  readonly err: string
}

function init(args: readonly string[] = [], cwd = folder): Promise<Ended> {
  return new Promise((done) => {
    execFile(process.execPath, [CLI, 'init', ...args], { cwd }, (error, out, err) =>
      done({ code: error?.code ?? 0, out, err }),
    )
  })
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

describe('metertap init', () => {
  test('writes a project’s files, says so, and prints the lines', async () => {
    const { code, out, err } = await init()
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(readdirSync(folder).toSorted()).toEqual(FILES)
    for (const name of FILES) expect(out).toMatch(new RegExp(`^wrote +${name.replaceAll('.', '\\.')} `, 'm'))
    expect(out).toContain("usage.record(apiCalls, { feature: 'export', quantity: 1 })")
    expect(out).toContain('node_modules/metertap/docs/getting-started.md')
  })

  test('makes secrets that are fresh, long, and for their owner’s eyes', async () => {
    const secrets = () =>
      [...read('.env.relay').matchAll(/^METERTAP_(?:GRANT_SECRET_APP|ADMIN_KEY)=(.+)$/gm)].map(([, s]) => s)
    const { out } = await init()
    const first = secrets()
    expect(first.map((secret) => secret?.length)).toEqual([43, 43])
    expect(statSync(join(folder, '.env.relay')).mode & 0o077).toBe(0)
    rmSync(join(folder, '.env.relay'))
    await init()
    expect(new Set([...first, ...secrets()]).size).toBe(4)
    for (const secret of first) expect(out).not.toContain(secret)
  })

  test('overwrites nothing', async () => {
    await init()
    const before = FILES.map(read)
    const { out } = await init(['--framework', 'react'])
    expect(out.match(/^kept /gm)).toHaveLength(4)
    expect(FILES.map(read)).toEqual(before)
  })

  test('names what a .gitignore of yours lacks, and leaves it', async () => {
    writeFileSync(join(folder, '.gitignore'), 'node_modules\r\nrelay.db*\r\n')
    const { out } = await init()
    expect(out).toMatch(/^kept +\.gitignore +it was there already: add \.env\.relay$/m)
    expect(read('.gitignore')).toBe('node_modules\r\nrelay.db*\r\n')
  })

  test('--dry-run writes nothing, and says what it would', async () => {
    writeFileSync(join(folder, 'meters.ts'), '')
    const { code, out } = await init(['--dry-run'])
    expect(code).toBe(0)
    expect(out.match(/^would write /gm)).toHaveLength(3)
    expect(out).toMatch(/^kept +meters\.ts /m)
    expect(readdirSync(folder)).toEqual(['meters.ts'])
  })

  test.each([
    [['--framework', 'vue'], /--framework takes vanilla, react, node, worker, electron\./],
    [['there'], /"there" is one argument too many/],
    [['--forced'], /--forced/],
  ])('%j is not understood', async (args, message) => {
    const { code, err } = await init(args)
    expect(code).toBe(2)
    expect(err).toMatch(message)
    expect(readdirSync(folder)).toEqual([])
  })

  test.runIf(process.platform === 'linux')('a folder that cannot be written to', async () => {
    const { code, err } = await init([], '/proc')
    expect(code).toBe(1)
    expect(err).toMatch(/^init cannot write \/proc\/meters\.ts: run it in a folder that is yours\./)
    expect(err).toContain('npx metertap explain bad_option')
  })
})

describe('what it writes and prints', () => {
  const blockOf = (page: string, title: string | undefined, language: string, code: string): Block => {
    return { page, line: 1, language, title, code, given: '', inside: undefined, unchecked: undefined }
  }

  test('is right by a strict TypeScript, for each framework', async () => {
    const blocks = FRAMEWORKS.flatMap((framework) => [
      ...draftsFor(framework, () => 'secret')
        .filter(({ name }) => name.endsWith('.ts'))
        .map(({ name, text }) => blockOf(`${framework}.md`, name, 'ts', text)),
      blockOf(`${framework}.md`, undefined, LINES[framework].language, LINES[framework].code),
    ])
    expect([...(await typeCheck(blocks)).values()].flat()).toEqual([])
  }, 60_000)

  test.each(FRAMEWORKS)('goes on in a page that there is: %s', (framework) => {
    expect(readBlocks(`docs/${LINES[framework].page}`).length).toBeGreaterThan(0)
  })
})
