import { MetertapError } from '../wire/errors.ts'
import { BRIDGE_CHANNEL, type BridgeAnswer, type BridgeRefusal, type BridgeSender } from './contract.ts'
import type { ElectronContents, ElectronInvokeEvent, ElectronIpcMain } from './electron.ts'
import type { BridgeHost } from './host.ts'
import type { SenderCheck } from './origins.ts'
import { failed } from './outcome.ts'

export interface IpcOptions {
  readonly ipcMain: ElectronIpcMain
  readonly host: BridgeHost
  readonly mayUse: SenderCheck
  readonly onRefused: (refusal: BridgeRefusal) => void
}

/**
 * Puts the host behind Electron's IPC: asks of every message which frame it came from, and hears when pages go.
 * Gives the function that takes it away again.
 * @throws MetertapError `bad_option` when the application has an agent already.
 */
export function serveIpc({ ipcMain, host, mayUse, onRefused }: IpcOptions): () => void {
  const watched = new WeakSet<ElectronContents>()

  const senderOf = ({ sender: { id }, senderFrame, processId, frameId }: ElectronInvokeEvent) => {
    if (!senderFrame) return host.known(id, processId, frameId)
    const { origin, url, parent } = senderFrame
    return { id, processId, frameId, origin, url, isMainFrame: parent === null }
  }

  const judge = (sender: BridgeSender | undefined): MetertapError | undefined =>
    sender ? mayUse(sender) : new MetertapError('not_allowed', 'The frame was gone when its first message came.')

  const answer = (event: ElectronInvokeEvent, message: unknown): Promise<BridgeAnswer> | BridgeAnswer => {
    const sender = senderOf(event)
    const refusal = judge(sender)
    if (!sender || refusal) {
      const error = refusal as MetertapError
      onRefused({ code: error.code, message: error.message, origin: sender?.origin, webContentsId: event.sender.id })
      return failed(error)
    }
    if (!watched.has(event.sender)) {
      watched.add(event.sender)
      watch(event.sender, host)
    }
    return host.handle(sender, message)
  }

  try {
    ipcMain.handle(BRIDGE_CHANNEL, async (event, message) => answer(event, message))
  } catch (cause) {
    const text =
      'createAgent: the application has an agent already: make one in the main process, and close() it before the next.'
    throw new MetertapError('bad_option', text, {}, cause)
  }
  return () => ipcMain.removeHandler(BRIDGE_CHANNEL)
}

function watch(contents: ElectronContents, host: BridgeHost): void {
  const { id } = contents
  const gone = () => host.gone(id)
  contents.on('destroyed', gone)
  contents.on('render-process-gone', gone)
  contents.on('did-navigate', () => host.navigated(id, ({ isMainFrame }) => isMainFrame))
  contents.on('did-frame-navigate', (_event, _url, _code, _text, _isMainFrame, _processId, frameId) =>
    host.navigated(id, (sender) => !sender.isMainFrame && sender.frameId === frameId),
  )
}
