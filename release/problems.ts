import type { Facts } from './facts.ts'

type Target = string | { readonly [condition: string]: Target }

/** The parts of package.json that a release depends on. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly repository?: unknown
  readonly bin?: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, Target>>
}

/** Every file that the manifest promises. */
export function targetsOf({ exports, bin = {} }: Manifest): string[] {
  const filesOf = (target: Target): string[] =>
    typeof target === 'string' ? [target] : Object.values(target).flatMap(filesOf)
  return [...new Set([...Object.values(exports).flatMap(filesOf), ...Object.values(bin)])]
}

/** The version that stands on top of the changelog; undefined while it is still called unreleased. */
function releasedVersion(changelog: string): string | undefined {
  return /^## (\S+) \(\d{4}-\d{2}-\d{2}\)$/m.exec(changelog.match(/^## .*$/m)?.[0] ?? '')?.[1]
}

/** Why this may not be published, each with what to do. Empty: it may. */
export function problemsOf(facts: Facts): string[] {
  const { manifest, changelog, status, tags, unbuilt, newestSourceMs, oldestBuiltMs } = facts
  const tag = `v${manifest.version}`
  const checks: readonly (readonly [boolean, string])[] = [
    [status !== '', `There is uncommitted work: commit it or put it away.\n${status}`],
    [!tags.includes(tag), `This commit is not tagged ${tag}: git tag ${tag}`],
    [
      releasedVersion(changelog) !== manifest.version,
      `CHANGELOG.md does not begin with “## ${manifest.version} (YYYY-MM-DD)”: give the version its day.`,
    ],
    [unbuilt.length > 0, `Not built: ${unbuilt.join(', ')}. Run: npm run build`],
    [newestSourceMs > oldestBuiltMs, 'A source is newer than what was built. Run: npm run build'],
    [!manifest.repository, 'package.json names no repository: npm can prove no provenance without it.'],
  ]
  return checks.flatMap(([isWrong, problem]) => (isWrong ? [problem] : []))
}
