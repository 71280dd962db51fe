import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseCommand } from '../../src/relay/cli/args.ts'
import { explain, toMarkdown } from '../../src/relay/cli/explain/explain.ts'
import { LANE_HOLDS } from '../../src/relay/cli/explain/lane-holds.ts'
import { VERDICTS } from '../../src/relay/cli/explain/verdicts.ts'

/** Codes that the sources give to single events. Those of whole errors and of lanes are checked by the compiler. */
function verdictsInSources(): string[] {
  const files = globSync('src/relay/{accept,forward,reconcile}/*.ts')
  const texts = files.map((file) => readFileSync(file, 'utf8'))
  const given = /(?:reject\(|new Unmappable\(|\bcode: )\s*'([a-z_]+)'/g
  const findings = /Finding = (.+)/g
  const found = texts.flatMap((text) => [
    ...[...text.matchAll(given)].map(([, code]) => code as string),
    ...[...text.matchAll(findings)].flatMap(([, list]) =>
      [...(list ?? '').matchAll(/'([a-z_]+)'/g)].map(([, c]) => c as string),
    ),
  ])
  return [...new Set(found)].sort()
}

describe('the catalogue of codes', () => {
  test('explains every verdict that the relay gives', () => {
    const codes = verdictsInSources()
    expect(codes.length).toBeGreaterThan(15)
    const known = { ...VERDICTS, ...LANE_HOLDS }
    expect(codes.filter((code) => !Object.hasOwn(known, code))).toEqual([])
    expect(explain('everything_unmappable')).toContain('(holds of a lane)')
  })

  test('says cause and fix, for each place where a code occurs', () => {
    expect(explain('too_old')).toMatch(/^too_old {2}\(verdicts on one event\)\n {2}The event is older .*\n {2}→ Raise /)
    expect(explain('unknown_meter')?.match(/→/g)).toHaveLength(2)
    expect(explain('nonsense')).toBeUndefined()
    expect(explain('constructor')).toBeUndefined()
  })

  test('is the page in docs/', () => {
    const page = readFileSync('docs/errors.md', 'utf8')
    expect(page, 'run: node test/support/write-error-page.ts').toBe(toMarkdown())
  })

  test('is a command', () => {
    expect(parseCommand(['explain', 'too_old'])).toEqual({ kind: 'explain', code: 'too_old' })
    expect(parseCommand(['explain'])).toEqual({ kind: 'explain', code: undefined })
    expect(parseCommand(['explain', 'a', 'b'])).toMatchObject({ kind: 'misuse' })
  })
})
