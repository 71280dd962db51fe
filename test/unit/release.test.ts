import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { readFacts } from '../../release/facts.ts'
import { problemsOf } from '../../release/problems.ts'

const folders: string[] = []
let folder: string
const write = (file: string, text: string): void => writeFileSync(join(folder, file), text)
const git = (...args: string[]): void => {
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false']
  execFileSync('git', [...who, ...args], { cwd: folder, stdio: 'pipe' })
}
const manifest = {
  name: 'p',
  version: '1.2.0',
  repository: 'github:a/b',
  bin: { p: './dist/cli.js' },
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' }, './package.json': './package.json' },
}

/** A project that may be published. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-release-'))
  folders.push(folder)
  mkdirSync(join(folder, 'src'))
  mkdirSync(join(folder, 'dist'))
  write('.gitignore', 'dist/\n')
  write('CHANGELOG.md', '# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- New.\n\n## 1.1.0 (2026-11-01)\n')
  write('src/index.ts', '')
  for (const file of ['index.js', 'index.d.ts', 'cli.js']) write(`dist/${file}`, '')
  write('package.json', JSON.stringify(manifest))
  utimesSync(join(folder, 'src/index.ts'), 1_000, 1_000)
  git('init', '-q')
  git('add', '-A')
  git('commit', '-qm', 'a')
  git('tag', 'v1.2.0')
})
afterAll(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true })
})

function commit(): void {
  git('commit', '-qam', 'b')
  git('tag', '-f', 'v1.2.0')
}

describe('a release', () => {
  test('that is ready may be published', () => expect(problemsOf(readFacts(folder))).toEqual([]))

  test.each<[string, RegExp, () => void]>([
    ['with uncommitted work', /uncommitted work.*\n.*new\.txt/, () => write('new.txt', '')],
    ['without its tag', /not tagged v1\.2\.0/, () => git('tag', '-d', 'v1.2.0')],
    [
      'with another version on top of the changelog',
      /CHANGELOG\.md does not begin with “## 1\.2\.0/,
      () => {
        write('CHANGELOG.md', '# Changelog\n\n## 1.3.0 (2026-12-01)\n\n## 1.2.0 (2026-12-01)\n')
        commit()
      },
    ],
    [
      'whose changelog still says unreleased',
      /CHANGELOG\.md does not begin/,
      () => {
        write('CHANGELOG.md', '# Changelog\n\n## 1.2.0 (unreleased)\n')
        commit()
      },
    ],
    ['that is not built', /Not built: \.\/dist\/cli\.js\./, () => rmSync(join(folder, 'dist/cli.js'))],
    ['built from older sources', /newer than what was built/, () => utimesSync(join(folder, 'dist/index.js'), 10, 10)],
    [
      'without a repository',
      /names no repository/,
      () => {
        write('package.json', JSON.stringify({ ...manifest, repository: undefined }))
        commit()
      },
    ],
  ])('%s is refused', (_, reason, spoil) => {
    spoil()
    expect(problemsOf(readFacts(folder))).toEqual([expect.stringMatching(reason)])
  })
})
