import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { requireEngine } from '../../support/engines.ts'
import type { EngineDriver } from './contract.ts'
import { type Display, openDisplay } from './display.ts'
import { mountSmallVolume } from './small-volume.ts'

const SMALL_VOLUME_MIB = 48

let display: Promise<Display> | undefined

export const webkit: EngineDriver = {
  async launch({ profile, url }) {
    display ??= openDisplay()
    const { name } = await display
    const home = (folder: string): string => join(profile, folder)
    const folders = { HOME: home('home'), XDG_DATA_HOME: home('data'), XDG_CACHE_HOME: home('cache') }
    const more = { XDG_CONFIG_HOME: home('config'), XDG_RUNTIME_DIR: home('run') }
    for (const folder of Object.values({ ...folders, ...more })) await mkdir(folder, { recursive: true, mode: 0o700 })
    const env = {
      ...process.env,
      ...folders,
      ...more,
      DISPLAY: name,
      GDK_BACKEND: 'x11',
      LIBGL_ALWAYS_SOFTWARE: '1',
      NO_AT_BRIDGE: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
    }
    const args = ['--javascript-can-open-windows-automatically=true', url]
    return spawn(requireEngine('webkit'), args, { detached: true, stdio: 'ignore', env })
  },
  isRenderer: (args) => args.includes('WebKitWebProcess'),
  prepareSmallStorage: (profile) => mountSmallVolume(join(profile, 'data'), SMALL_VOLUME_MIB),
  async dispose() {
    await (await display)?.close()
    display = undefined
  },
}
