import type { Agent } from '../../src/agent/agent.ts'
import { startElectronMain } from '../../src/agent/electron/main.ts'
import type { ElectronMainAgent } from '../../src/agent/electron/main-agent.ts'
import type { ElectronMainOptions } from '../../src/agent/electron/options.ts'
import { type ElectronPageOptions, startElectronPage } from '../../src/agent/electron/renderer.ts'
import type { BridgeRefusal } from '../../src/bridge/contract.ts'
import type { Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { bills, calls, streamOf } from './agent-world.ts'
import { type FakeClock, fakeClock, settle } from './fake-clock.ts'
import { FakeElectron, type FakeWindow, type WindowOptions } from './fake-electron.ts'
import { FakeLocks } from './fake-locks.ts'
import { FakeChannels, type FakeRuntime, fakeRuntime } from './fake-runtime.ts'
import { TinyRelay } from './tiny-relay.ts'

export interface ElectronPage extends FakeWindow {
  readonly agent: Agent
  readonly runtime: FakeRuntime
  /** What the page heard, by event name. */
  readonly heard: { readonly event: string; readonly detail: Record<string, unknown> }[]
}

export interface ElectronWorld {
  readonly clock: FakeClock
  readonly relay: TinyRelay
  readonly electron: FakeElectron
  readonly outbox: Outbox
  readonly main: ElectronMainAgent
  readonly runtime: FakeRuntime
  readonly refusals: BridgeRefusal[]
  readonly locks: FakeLocks
  openPage(window?: WindowOptions, options?: Partial<ElectronPageOptions>): Promise<ElectronPage>
}

/** An application: its main process over an outbox in memory that says 'process', and its windows, in one made-up time. */
export async function electronWorld(
  options: Partial<ElectronMainOptions> = {},
  outbox: Outbox = { ...createMemoryOutbox({ random: () => 'device-1' }), durability: 'process' },
): Promise<ElectronWorld> {
  const clock = fakeClock()
  const relay = new TinyRelay()
  const electron = new FakeElectron('/nowhere')
  const locks = new FakeLocks()
  const channels = new FakeChannels()
  const refusals: BridgeRefusal[] = []
  let streams = 0
  const newRuntime = () =>
    fakeRuntime({
      clock,
      fetch: relay.fetch,
      newStreamId: () => streamOf(streams++),
      locks: locks.client().manager,
      channels,
    })
  const runtime = newRuntime()
  const main = startElectronMain(
    {
      ...{ app: electron.app, ipcMain: electron.ipcMain, powerMonitor: electron.powerMonitor },
      ...{ relay: 'https://relay.test', meters: [calls, bills], allowedOrigins: ['app://acme'] },
      token: (account) => `token-of-${account}`,
      onPageRefused: (refusal) => void refusals.push(refusal),
      ...options,
    },
    { runtime, openOutbox: () => outbox },
  )
  await settle()
  return {
    ...{ clock, relay, electron, outbox, main, runtime, refusals, locks },
    async openPage(window, pageOptions = {}) {
      const opened = electron.openWindow(window)
      const runtime = newRuntime()
      const agent = startElectronPage({ meters: [calls, bills], ...pageOptions }, { port: opened.port, runtime })
      const heard: ElectronPage['heard'] = []
      for (const event of ['stored', 'trouble', 'refused', 'degraded', 'paused'] as const) {
        agent.on(event, (detail: object) => void heard.push({ event, detail: { ...detail } }))
      }
      await settle()
      return { ...opened, agent, runtime, heard }
    },
  }
}
