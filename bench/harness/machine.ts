import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** Where the figures come from. */
export interface MachineFacts {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** Waiting processes, on average over the last minute: above the cores, somebody else was there too. */
  readonly loadBefore: number
  readonly loadAfter?: number
  readonly versions: Readonly<Record<string, string>>
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? platform()
  } catch {
    return platform()
  }
}

/** What a program says of its version; undefined when it says nothing. */
function versionOf(program: string): string | undefined {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

export const load = (): number => Number((loadavg()[0] ?? 0).toFixed(2))

export function machineFacts(programs: readonly string[]): MachineFacts {
  const versions = programs.map((program) => [program.split('/').at(-1), versionOf(program) ?? 'not found'])
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${distribution()}, ${platform()} ${release()} ${arch()}`,
    node: process.version,
    loadBefore: load(),
    versions: Object.fromEntries(versions),
  }
}
