import { join } from 'node:path'
import { nodeParts } from '../node-parts.ts'
import { attendProcess } from '../node-process.ts'
import { startElectronMain } from './main.ts'
import type { ElectronMainAgent } from './main-agent.ts'
import { type ElectronMainOptions, readElectronOptions } from './options.ts'

/**
 * Starts the agent of an Electron application, in its main process: it owns the outbox, in the application's userData
 * folder, and the network; pages record through it. Make it before the first window, also before the application is
 * ready. Several processes on one folder, such as a second instance, are safe.
 *
 * Pages need the preload script 'metertap/electron-preload.cjs' and createAgent() of 'metertap/electron-renderer'.
 *
 * @throws MetertapError `bad_option` when an option cannot be used, or the application has an agent already.
 * @example
 * const usage = createAgent({
 *   app, ipcMain, powerMonitor, net,
 *   relay: 'https://usage.acme.com',
 *   token: () => session.usageToken(),
 *   meters: [apiCalls],
 *   allowedOrigins: ['app://acme'],
 * })
 */
export function createAgent(options: ElectronMainOptions): ElectronMainAgent {
  const { quitWaitMs } = readElectronOptions(options)
  const folder = options.folder ?? join(options.app.getPath('userData'), 'metertap')
  const name = options.outbox ?? 'metertap'
  const { runtime, openOutbox } = nodeParts({ folder, outbox: name })
  const agent = startElectronMain(options, { runtime, openOutbox: (watch) => openOutbox(name, watch) })
  // Electron makes an orderly end of signals by itself; this is for app.exit() and the like.
  const leave = attendProcess(agent, runtime, { signals: [], exitFlushMs: quitWaitMs })
  return {
    ...agent,
    async close() {
      leave()
      await agent.close()
    },
  }
}
