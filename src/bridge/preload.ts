import { BRIDGE_CHANNEL, BRIDGE_KEY, BRIDGE_VERSION, type BridgePort } from './contract.ts'

/** What the preload script uses of Electron. */
export interface ElectronPreload {
  readonly contextBridge: { exposeInMainWorld(key: string, api: unknown): void }
  readonly ipcRenderer: { invoke(channel: string, message: unknown): Promise<unknown> }
}

/** Gives the page one frozen object with one function, which goes to one channel; nothing else of Electron's. */
export function exposeBridgeBy({ contextBridge, ipcRenderer }: ElectronPreload): void {
  const port: BridgePort = Object.freeze({
    version: BRIDGE_VERSION,
    call: (request) => ipcRenderer.invoke(BRIDGE_CHANNEL, request),
  } satisfies BridgePort)
  contextBridge.exposeInMainWorld(BRIDGE_KEY, port)
}
