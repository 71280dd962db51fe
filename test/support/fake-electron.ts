import { EventEmitter } from 'node:events'
import type { App, IpcMain, Net, PowerMonitor, WebContents, WebFrameMain } from 'electron'
import { BRIDGE_KEY, type BridgePort } from '../../src/bridge/contract.ts'
import type {
  ElectronApp,
  ElectronContents,
  ElectronFrame,
  ElectronInvokeEvent,
  ElectronIpcMain,
  ElectronNet,
  ElectronPowerMonitor,
} from '../../src/bridge/electron.ts'
import { exposeBridgeBy } from '../../src/bridge/preload.ts'

type Has<Real extends Asked, Asked> = [Real, Asked]
/**
 * Electron's own types have all that is asked for: this file does not compile otherwise.
 *
 * @public for the compiler alone
 */
export type ElectronHasIt = [
  Has<App, ElectronApp>,
  Has<IpcMain, ElectronIpcMain>,
  Has<PowerMonitor, ElectronPowerMonitor>,
  Has<Net, ElectronNet>,
  Has<WebContents, ElectronContents>,
  Has<WebFrameMain, ElectronFrame>,
]

type Handler = (event: ElectronInvokeEvent, message: unknown) => Promise<unknown>

export interface WindowOptions {
  readonly origin?: string
  readonly url?: string
  readonly isMainFrame?: boolean
}

/** What the preload script of a window sees, and what its end looks like from the main process. */
export interface FakeWindow {
  /** What the page finds at globalThis[BRIDGE_KEY]. */
  readonly port: BridgePort
  readonly contents: EventEmitter & ElectronContents
  /** Sends whatever it is over the channel, past the preload script. */
  invoke(message: unknown): Promise<unknown>
  /** The frame is gone from Electron's books, while its last messages are on their way. */
  loseFrame(): void
  /** From now on nothing of this window arrives, and nothing is heard in it. */
  cut(): void
  crash(): void
  close(): void
}

/** The main process: what is real in it are the objects' shapes, the order of messages, and that everything is copied. */
export class FakeElectron {
  readonly app: ElectronApp & { readonly quits: number; tryToQuit(): boolean }
  readonly ipcMain: ElectronIpcMain
  readonly powerMonitor: EventEmitter & ElectronPowerMonitor = new EventEmitter()
  /** Messages wait while it is busy. */
  #busy: Promise<void> = Promise.resolve()
  #handlers = new Map<string, Handler>()
  #windows = 0

  constructor(userData: string, onQuit: () => void = () => {}) {
    this.app = fakeApp(userData, onQuit)
    this.ipcMain = {
      handle: (channel, listener) => {
        if (this.#handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`)
        this.#handlers.set(channel, listener)
      },
      removeHandler: (channel) => void this.#handlers.delete(channel),
    }
  }

  /** Nothing is handled until the promise resolves. */
  busyUntil(promise: Promise<void>): void {
    this.#busy = promise
  }

  openWindow({
    origin = 'app://acme',
    url = `${origin}/index.html`,
    isMainFrame = true,
  }: WindowOptions = {}): FakeWindow {
    const id = ++this.#windows
    const contents = Object.assign(new EventEmitter(), { id })
    let isCut = false
    let frame: ElectronFrame | null = { origin, url, parent: isMainFrame ? null : {} }
    const invoke = async (message: unknown): Promise<unknown> => {
      const sent: unknown = structuredClone(message)
      // As the event loop of another process would.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#busy
      if (isCut) return new Promise(() => {})
      const handler = this.#handlers.get('metertap')
      if (!handler) throw new Error("Error invoking remote method 'metertap': Error: No handler registered")
      const event = { sender: contents, senderFrame: frame, processId: 100 + id, frameId: 1 }
      const answer: unknown = structuredClone(await handler(event, sent))
      if (isCut) return new Promise(() => {})
      return answer
    }
    return {
      contents,
      invoke,
      port: exposed((_channel, message) => invoke(message)),
      loseFrame: () => {
        frame = null
      },
      cut: () => {
        isCut = true
      },
      crash: () => {
        isCut = true
        contents.emit('render-process-gone')
      },
      close: () => {
        isCut = true
        contents.emit('destroyed')
      },
    }
  }
}

/** Through the real preload code, and a bridge that hands functions on and copies the rest. */
function exposed(invoke: (channel: string, message: unknown) => Promise<unknown>): BridgePort {
  const world: Record<string, BridgePort> = {}
  const exposeInMainWorld = (key: string, api: unknown) => {
    const { version, call } = api as BridgePort
    world[key] = Object.freeze({
      version,
      call: async (request: unknown) => structuredClone(await call(structuredClone(request) as never)),
    }) as BridgePort
  }
  exposeBridgeBy({ contextBridge: { exposeInMainWorld }, ipcRenderer: { invoke } })
  return world[BRIDGE_KEY] as BridgePort
}

function fakeApp(userData: string, onQuit: () => void): FakeElectron['app'] {
  const emitter = new EventEmitter()
  let quits = 0
  const app = {
    getPath: () => userData,
    whenReady: () => Promise.resolve(),
    on: (event: string, listener: (event: { preventDefault(): void }) => void) => emitter.on(event, listener),
    removeListener: (event: string, listener: (event: { preventDefault(): void }) => void) =>
      emitter.removeListener(event, listener),
    /** False when somebody held it back. */
    tryToQuit() {
      let isHeld = false
      emitter.emit('will-quit', { preventDefault: () => (isHeld = true) })
      if (isHeld) return false
      quits++
      onQuit()
      return true
    },
    quit: () => void app.tryToQuit(),
    get quits() {
      return quits
    },
  }
  return app
}
