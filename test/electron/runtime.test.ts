import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { electronRuntime } from '../../src/runtime/electron.ts'
import { nodeRuntime } from '../../src/runtime/node.ts'
import { calls } from '../support/agent-world.ts'
import { electronWorld } from '../support/electron-world.ts'
import { settle } from '../support/fake-clock.ts'

describe('what Electron knows better than Node', () => {
  it('the network: nothing is sent before the application is ready, then through Chromium', async () => {
    const ready = Promise.withResolvers<void>()
    const asked: string[] = []
    const net = {
      fetch: async (input: string | Request) => {
        asked.push(typeof input === 'string' ? input : input.url)
        return new Response('from Chromium')
      },
    }
    const runtime = electronRuntime({ base: nodeRuntime(), app: { whenReady: () => ready.promise }, net })
    const answer = runtime.fetch('https://relay.test/v1/events')
    await settle()
    expect(asked).toEqual([])
    ready.resolve()
    expect(await (await answer).text()).toBe('from Chromium')
    expect(asked).toEqual(['https://relay.test/v1/events'])
  })

  it('the machine’s sleep, heard once the application is ready and until nobody listens', async () => {
    const powerMonitor = new EventEmitter()
    const runtime = electronRuntime({ base: nodeRuntime(), app: { whenReady: async () => {} }, powerMonitor })
    const heard: string[] = []
    const stop = runtime.onLifecycle((event) => heard.push(event))
    expect(powerMonitor.eventNames()).toEqual([])
    await settle()
    for (const event of ['suspend', 'resume', 'unlock-screen', 'on-battery']) powerMonitor.emit(event)
    expect(heard).toEqual(['visible', 'visible', 'online', 'visible', 'online'])
    stop()
    expect(powerMonitor.eventNames()).toEqual([])
  })

  it('two agents in one application are an error that says what to do', async () => {
    const world = await electronWorld()
    const { startElectronMain } = await import('../../src/agent/electron/main.ts')
    const again = () =>
      startElectronMain(
        {
          ...{ app: world.electron.app, ipcMain: world.electron.ipcMain, relay: 'https://relay.test', meters: [calls] },
          ...{ allowedOrigins: ['app://acme'], token: () => 'token-1' },
        },
        { runtime: world.runtime, openOutbox: () => world.outbox },
      )
    expect(again).toThrow(expect.objectContaining({ code: 'bad_option', message: expect.stringContaining('close()') }))
    await world.main.close()
    expect(again).not.toThrow()
  })

  it.each([
    [{ app: undefined }, 'app'],
    [{ ipcMain: {} }, 'ipcMain'],
    [{ token: 'token-1' }, 'token'],
    [{ meters: [] }, 'meters'],
    [{ relay: 'usage' }, 'relay'],
    [{ limits: { maxMessageBytes: -1 } }, 'maxMessageBytes'],
    [{ limits: { maxWaitingMessages: 3 } }, 'maxWaitingMessages'],
    [{ quitWaitMs: Number.NaN }, 'quitWaitMs'],
  ])('%j is refused by name', async (options, name) => {
    const error = await electronWorld(options as never).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'bad_option', message: expect.stringContaining(name) })
  })
})
