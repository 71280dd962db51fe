import { spawnSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { SkipCell } from './contract.ts'

/** Puts a folder on a volume of its own, for an engine whose quota follows the disk. Needs root. */
export async function mountSmallVolume(folder: string, sizeMib: number): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true })
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder], { stdio: 'ignore' })
  if (status !== 0)
    throw new SkipCell('its quota follows the disk, and no small volume can be mounted here (needs root)')
  return async () => {
    spawnSync('umount', ['-l', folder], { stdio: 'ignore' })
  }
}
