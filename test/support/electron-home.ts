import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '../../src/agent/agent.ts'
import { startElectronMain } from '../../src/agent/electron/main.ts'
import type { ElectronMainAgent } from '../../src/agent/electron/main-agent.ts'
import { lendBridge, startElectronPage } from '../../src/agent/electron/renderer.ts'
import { nodeParts } from '../../src/agent/node-parts.ts'
import { bridgeThrough } from '../../src/bridge/worker-port.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import { type AgentHomeKind, type AgentWishes, deskOf, METERS, tokenOf } from '../contract/agent-kit.ts'
import { FakeElectron } from './fake-electron.ts'
import { TinyRelay } from './tiny-relay.ts'

/**
 * Agents in pages, or in workers of theirs, over one main process with its outbox on the disk; only Electron itself is
 * made up. The main process ends with its last page, and the next page finds another one.
 */
export function electronHome(place: 'page' | 'worker of a page'): AgentHomeKind {
  return {
    name: `${place} and main process of Electron`,
    ...{ plain: 'process', strict: 'power', keeps: true, shares: true, hearsNetwork: false },
    async open() {
      const folder = await mkdtemp(join(tmpdir(), 'metertap-electron-'))
      const relay = deskOf(new TinyRelay())
      const accounts = new Map<number, string>()
      let electron = new FakeElectron(folder)
      let main: ElectronMainAgent | undefined
      let pages = 0

      const startMain = ({ account, ...wishes }: AgentWishes): ElectronMainAgent => {
        electron = new FakeElectron(folder)
        const { app, ipcMain, powerMonitor } = electron
        const { runtime, openOutbox } = nodeParts({ folder, outbox: 'metertap' })
        const options = {
          ...{ app, ipcMain, powerMonitor, relay: 'https://relay.test', meters: METERS, token: tokenOf },
          ...{ allowedOrigins: ['app://acme'], pagesMay: { purge: true } },
          accountOf: ({ id }: { id: number }) => accounts.get(id) ?? '',
          ...wishes,
        }
        const parts = { runtime: { ...runtime, fetch: relay.fetch } }
        return startElectronMain(options, { ...parts, openOutbox: (watch) => openOutbox('metertap', watch) })
      }

      const ended = async () => {
        if (--pages > 0) return
        await main?.close()
        main = undefined
      }

      return {
        relay,
        async start(wishes = {}) {
          pages++
          main ??= startMain(wishes)
          const window = electron.openWindow()
          accounts.set(window.contents.id, wishes.account ?? '')
          const { durability, maxEventBytes } = wishes
          const options = { meters: METERS, ...(durability && { durability }), ...(maxEventBytes && { maxEventBytes }) }
          const agent = startElectronPage(options, {
            port: place === 'page' ? window.port : bridgeThrough(lendBridge(window.port), undefined, ''),
            runtime: { ...browserRuntime(), onLifecycle: () => () => {} },
          })
          return closing(agent, ended)
        },
        end: async () => {
          await main?.close()
          await rm(folder, { recursive: true, force: true })
        },
      }
    },
  }
}

/** The agent, and what follows when it is closed for the first time. */
function closing(agent: Agent, ended: () => Promise<void>): Agent {
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= agent.close().then(ended)
    return closed
  }
  return new Proxy(agent, {
    get(target, name) {
      if (name === 'close') return close
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
