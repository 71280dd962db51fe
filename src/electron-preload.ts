import { contextBridge, ipcRenderer } from 'electron'
import { exposeBridgeBy } from './bridge/preload.ts'

/**
 * Gives the page its way to the main process's agent. For a preload script of your own, sandboxed or not, with context
 * isolation; it must be bundled, as every sandboxed one. A window that has no other needs none of your own: its preload
 * script is 'metertap/electron-preload.cjs'.
 *
 * @example
 * import { exposeBridge } from 'metertap/electron-preload'
 * exposeBridge()
 */
export function exposeBridge(): void {
  exposeBridgeBy({ contextBridge, ipcRenderer })
}
