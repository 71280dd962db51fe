import { describe, expect, it } from 'vitest'
import { startElectronMain } from '../../src/agent/electron/main.ts'
import { startElectronPage } from '../../src/agent/electron/renderer.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { calls } from '../support/agent-world.ts'
import { electronWorld } from '../support/electron-world.ts'
import { failure, settle } from '../support/fake-clock.ts'
import { FakeElectron } from '../support/fake-electron.ts'

describe('a page and its main process', () => {
  it('the receipt crosses: durable once the main process has stored it, and the event arrives once', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    const receipt = page.agent.record(calls, { n: 1 })
    await expect(receipt.durable).resolves.toBe('memory')
    await page.agent.flush()
    expect(world.relay.ids).toEqual([receipt.id])
    expect(world.relay.requests.map(({ token }) => token)).toEqual(['token-of-'])
  })

  it('the main process records by itself, too', async () => {
    const world = await electronWorld()
    const receipt = world.main.record(calls, { n: 1 })
    await receipt.durable
    await world.main.flush()
    expect(world.relay.ids).toEqual([receipt.id])
  })

  it('without a word of flush the main process sends within its interval', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    await page.agent.record(calls, { n: 1 }).durable
    await world.clock.advance(5_000)
    expect(world.relay.ids).toHaveLength(1)
  })

  it('many windows at once: each its own stream, all arrive once', async () => {
    const world = await electronWorld()
    const pages = await Promise.all(Array.from({ length: 20 }, () => world.openPage()))
    const receipts = pages.flatMap(({ agent }) => [1, 2, 3].map((n) => agent.record(calls, { n })))
    await Promise.all(receipts.map(({ durable }) => durable))
    await world.main.flush()
    expect(world.relay.ids.toSorted()).toEqual(receipts.map(({ id }) => id).toSorted())
  })

  it('a main process that is busy: what was recorded waits, and is stored once though it was said again', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    const busy = Promise.withResolvers<void>()
    world.electron.busyUntil(busy.promise)
    const receipts = [1, 2, 3].map((n) => page.agent.record(calls, { n }))
    await settle()
    await world.clock.advance(120_000)
    busy.resolve()
    await Promise.all(receipts.map(({ durable }) => durable))
    await settle()
    await world.main.flush()
    expect(world.relay.ids).toHaveLength(3)
    const [stream] = await world.outbox.streams()
    expect(stream).toMatchObject({ recorded: 3, settled: 3, dropped: {} })
    expect(world.refusals).toEqual([])
  })

  it('hundreds of tasks while it is busy become a few messages', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    const busy = Promise.withResolvers<void>()
    world.electron.busyUntil(busy.promise)
    const receipts = []
    for (let n = 0; n < 500; n++) {
      receipts.push(page.agent.record(calls, { n }))
      await null
      await null
    }
    busy.resolve()
    await Promise.all(receipts.map(({ durable }) => durable))
    await world.main.flush()
    expect(world.relay.ids).toHaveLength(500)
    expect(world.refusals).toEqual([])
  })

  it('a page that is there before the main process has its agent waits for it, and says so', async () => {
    const world = await electronWorld()
    await world.main.close()
    const page = await world.openPage()
    const receipt = page.agent.record(calls, { n: 1 })
    await world.clock.advance(5_000)
    expect(page.heard.map(({ event, detail }) => [event, detail.code])).toEqual([['trouble', 'bridge_missing']])
    let isStored = false
    void receipt.durable.then(() => {
      isStored = true
    })
    await settle()
    expect(isStored).toBe(false)
  })

  it('and does then what it was asked before', async () => {
    const world = await electronWorld()
    const late = new FakeElectron('/nowhere')
    const window = late.openWindow()
    const agent = startElectronPage({ meters: [calls] }, { port: window.port, runtime: world.runtime })
    const { durable, id } = agent.record(calls, { n: 1 })
    agent.pause('consent')
    await world.clock.advance(2_000)
    const main = startElectronMain(
      {
        ...{ app: late.app, ipcMain: late.ipcMain, relay: 'https://relay.test', meters: [calls] },
        ...{ allowedOrigins: ['app://acme'], token: () => 'token-1' },
      },
      { runtime: world.runtime, openOutbox: () => createMemoryOutbox({ random: () => 'device-2' }) },
    )
    await world.clock.advance(60_000)
    await durable
    expect(main.stats().pausedBy).toEqual(['consent'])
    expect(world.relay.ids).toEqual([])
    agent.resume('consent')
    await world.clock.advance(1_000)
    expect(world.relay.ids).toEqual([id])
  })

  it('a page without the preload script hears what to do', async () => {
    const world = await electronWorld()
    const error = await failure(() =>
      startElectronPage({ meters: [calls] }, { port: undefined, runtime: world.runtime }),
    )
    expect(error).toMatchObject({ code: 'bridge_missing' })
    expect(error.message).toContain('metertap/electron-preload.cjs')
  })
})
