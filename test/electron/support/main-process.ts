/** A main process: the real agent on Node, over a made-up Electron; its windows are the test's. */
import { createAgent } from '../../../src/electron-main.ts'
import { FakeElectron, type FakeWindow } from '../../support/fake-electron.ts'
import { calls, clicks } from './meters.ts'
import type { FromMain, MainSetup, ToMain } from './protocol.ts'

const { userData, relay, allowedOrigins } = JSON.parse(process.argv[2] ?? '') as MainSetup
const electron = new FakeElectron(userData, () => process.exit(0))
const { app, ipcMain, powerMonitor } = electron
const usage = createAgent({
  ...{ app, ipcMain, powerMonitor, relay, allowedOrigins },
  meters: [calls, clicks],
  token: () => 'token-1',
  flushIntervalMs: 200,
})
const windows = new Map<number, FakeWindow>()

const say = (message: FromMain) => void process.send?.(message)
const answer = (id: number, promise: Promise<unknown> | undefined) =>
  promise?.then(
    (value) => say({ kind: 'answer', id, value }),
    (error: unknown) => say({ kind: 'failed', id, text: String(error) }),
  )

process.on('message', (message: ToMain) => {
  if (message.kind === 'open') windows.set(message.window, electron.openWindow(message))
  else if (message.kind === 'call') void answer(message.id, windows.get(message.window)?.invoke(message.message))
  else if (message.kind === 'gone') windows.get(message.window)?.[message.how]()
  else if (message.kind === 'flush') void answer(message.id, usage.flush())
  else app.quit()
})
say({ kind: 'ready' })
