import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Manifest, targetsOf } from './problems.ts'

/** What a release is judged by, as found in a folder. */
export interface Facts {
  readonly manifest: Manifest
  readonly changelog: string
  /** `git status --porcelain`: empty when everything is committed. */
  readonly status: string
  /** Tags of the commit that is checked out. */
  readonly tags: readonly string[]
  /** What the manifest points to and was not built. */
  readonly unbuilt: readonly string[]
  /** When the newest source was written, and the oldest built file that the manifest points to, ms since 1970. */
  readonly newestSourceMs: number
  readonly oldestBuiltMs: number
}

/** Looks at the project in a folder; changes nothing. */
export function readFacts(folder: string): Facts {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim()
  const timeOf = (file: string): number => statSync(join(folder, file)).mtimeMs
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  const targets = targetsOf(manifest)
  const built = targets.filter((file) => existsSync(join(folder, file)))
  return {
    manifest,
    changelog: readFileSync(join(folder, 'CHANGELOG.md'), 'utf8'),
    status: git('status', '--porcelain'),
    tags: git('tag', '--points-at', 'HEAD').split('\n').filter(Boolean),
    unbuilt: targets.filter((file) => !built.includes(file)),
    newestSourceMs: Math.max(...globSync('src/**/*.{ts,css}', { cwd: folder }).map(timeOf)),
    oldestBuiltMs: Math.min(...built.filter((file) => file.startsWith('./dist/')).map(timeOf)),
  }
}
