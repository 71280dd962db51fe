/**
 * Finds the browsers that tests and demo drive, and installs Debian's packages when it may (root, apt-get).
 * Run as a program: `node test/support/engines.ts chromium --optional firefox webkit`. Without one of the first it ends
 * with 1; of the optional it tells what is skipped without them.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'

export type Engine = 'chromium' | 'firefox' | 'webkit'

interface EngineFacts {
  readonly programs: readonly string[]
  /** Where the program lies when it is in no folder of the PATH: a glob or a path. */
  readonly elsewhere: readonly string[]
  readonly variable: string
  readonly packages: readonly string[]
}

const ENGINES: Record<Engine, EngineFacts> = {
  chromium: {
    programs: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    elsewhere: ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'],
    variable: 'METERTAP_CHROMIUM',
    packages: ['chromium'],
  },
  firefox: {
    programs: ['firefox-esr', 'firefox'],
    elsewhere: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
    variable: 'METERTAP_FIREFOX',
    packages: ['firefox-esr'],
  },
  webkit: {
    // WebKitGTK's own small browser: unlike a session of its driver, it keeps a profile.
    programs: ['MiniBrowser'],
    elsewhere: ['/usr/lib/*/webkit2gtk-4.*/MiniBrowser', '/usr/{lib,libexec}/webkit2gtk-4.*/MiniBrowser'],
    variable: 'METERTAP_WEBKIT',
    packages: ['webkit2gtk-driver', 'xvfb', 'dbus'],
  },
}

/** Flags for a Chromium that runs as root, without a display and without calls of its own to the network. */
export const CHROMIUM_FLAGS: string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Path of the engine's program, from its environment variable or the PATH; undefined when there is none. */
export function findEngine(engine: Engine): string | undefined {
  const { programs, elsewhere, variable } = ENGINES[engine]
  const named = process.env[variable]
  if (named && isProgram(named)) return named
  const folders = (process.env.PATH ?? '').split(delimiter)
  const paths = programs.flatMap((program) => folders.map((folder) => join(folder, program)))
  return [...paths, ...globSync([...elsewhere])].find(isProgram)
}

/** Whether this process may install packages: root, on Debian or Ubuntu. */
export function mayInstall(): boolean {
  return process.getuid?.() === 0 && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0
}

/** Installs packages by apt-get, or tells why not. */
export function install(packages: readonly string[]): void {
  console.log(`Installing ${packages.join(', ')} …`)
  const options = { stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] }
  spawnSync('apt-get', ['update', '-qq'], options)
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
    ...options,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/**
 * The engine's program, installed first when it is missing and this process may.
 * @throws Error that names what to install.
 */
export function requireEngine(engine: Engine): string {
  const { programs, packages, variable } = ENGINES[engine]
  if (!findEngine(engine) && mayInstall()) install(packages)
  const program = findEngine(engine)
  if (program) return program
  throw new Error(
    `No ${engine} found. Install it (Debian/Ubuntu: apt-get install ${packages.join(' ')}), ` +
      `or set ${variable} to the path of one of: ${programs.join(', ')}.`,
  )
}

/** False, and a line that says why, when there is no such engine. */
function hasEngine(engine: string, remark: string): boolean {
  try {
    requireEngine(engine as Engine)
    return true
  } catch (error) {
    console.error(`${remark}${(error as Error).message}`)
    return false
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [required = '', optional = ''] = process.argv.slice(2).join(' ').split('--optional')
  const named = (engines: string) => engines.split(' ').filter(Boolean)
  for (const engine of named(optional)) hasEngine(engine, `SKIPPED: the contract suites in ${engine}. `)
  if (!named(required).every((engine) => hasEngine(engine, ''))) process.exit(1)
}
