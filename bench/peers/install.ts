import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = import.meta.dirname
const TSC = join(FOLDER, '../../node_modules/typescript7/bin/tsc')

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
}

function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as Manifest
}

function isInstalled([name, version]: [string, string]): boolean {
  const file = join(FOLDER, 'node_modules', name, 'package.json')
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version === version
}

/** Each peer's version, as the lock file has it. */
export function peerVersions(): string[] {
  return Object.entries(readManifest().dependencies).map(([name, version]) => `${name} ${version}`)
}

/**
 * Installs the peers in a folder of their own, unless they are there, and checks their configurations against their own
 * types: an option that does not exist would make a library look bad.
 */
export function installPeers(tell: (text: string) => void): void {
  if (Object.entries(readManifest().dependencies).every(isInstalled)) return
  tell('installing the peers in bench/peers')
  const options = { cwd: FOLDER, stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] }
  execFileSync('npm', ['ci', '--ignore-scripts'], options)
  execFileSync(process.execPath, [TSC, '-p', join(FOLDER, 'tsconfig.json')], { cwd: FOLDER, stdio: 'inherit' })
}
