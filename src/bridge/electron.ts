/** What metertap uses of Electron's main process; `electron`'s own objects have all of it. */

export interface ElectronApp {
  getPath(name: 'userData'): string
  whenReady(): Promise<void>
  quit(): void
  on(event: 'will-quit', listener: (event: { preventDefault(): void }) => void): unknown
  removeListener(event: 'will-quit', listener: (event: { preventDefault(): void }) => void): unknown
}

export interface ElectronFrame {
  readonly origin: string
  readonly url: string
  /** null for a page's main frame. */
  readonly parent: object | null
}

/** A window's contents. */
export interface ElectronContents {
  readonly id: number
  on(event: 'destroyed' | 'render-process-gone' | 'did-navigate', listener: () => void): unknown
  on(
    event: 'did-frame-navigate',
    listener: (
      event: object,
      url: string,
      code: number,
      text: string,
      isMainFrame: boolean,
      processId: number,
      frameId: number,
    ) => void,
  ): unknown
}

export interface ElectronInvokeEvent {
  readonly sender: ElectronContents
  /** null when the frame is gone by now. */
  readonly senderFrame: ElectronFrame | null
  readonly processId: number
  readonly frameId: number
}

export interface ElectronIpcMain {
  handle(channel: string, listener: (event: ElectronInvokeEvent, message: unknown) => Promise<unknown>): void
  removeHandler(channel: string): void
}

export interface ElectronPowerMonitor {
  on(event: PowerEvent, listener: () => void): unknown
  removeListener(event: PowerEvent, listener: () => void): unknown
}

export type PowerEvent = 'suspend' | 'resume' | 'unlock-screen'

export interface ElectronNet {
  fetch(input: string | Request, init?: RequestInit): Promise<Response>
}
