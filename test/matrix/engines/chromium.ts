import { spawn } from 'node:child_process'
import { CHROMIUM_FLAGS, requireEngine } from '../../support/engines.ts'
import type { EngineDriver } from './contract.ts'
import { overrideQuota } from './devtools.ts'

const SMALL_STORAGE_BYTES = 4 * 1_048_576

export const chromium: EngineDriver = {
  async launch({ profile, smallStorage, url }) {
    const own = [`--user-data-dir=${profile}`, '--headless=new', '--disable-popup-blocking']
    const debugging = smallStorage ? ['--remote-debugging-port=0'] : []
    const flags = [...CHROMIUM_FLAGS, ...own, ...debugging]
    return spawn(requireEngine('chromium'), [...flags, url], { detached: true, stdio: 'ignore' })
  },
  isRenderer: (args) => args.includes('--type=renderer'),
  async started({ profile, smallStorage, url }) {
    if (smallStorage) await overrideQuota(profile, url, SMALL_STORAGE_BYTES)
  },
}
