import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Agent } from '../../src/agent/agent.ts'
import { startElectronPage } from '../../src/agent/electron/renderer.ts'
import { bridgeThrough, serveWorker } from '../../src/bridge/worker-port.ts'
import { createAgent, lendBridge, type Meter } from '../../src/electron-renderer.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import { type ElectronWorld, electronWorld } from '../support/electron-world.ts'
import { calls, clicks } from './support/meters.ts'

const WAIT = { timeout: 30_000, interval: 5 }

/** A window, and the worker's end of what its page lends. */
function lent(world: ElectronWorld): MessagePort {
  const port = lendBridge(world.electron.openWindow().port)
  onTestFinished(() => port.close())
  return port
}

/** As createAgent() in the worker. */
function start(bridge: MessagePort, locks?: LockManager, meters: readonly Meter[] = [calls]): Agent {
  const runtime = { ...browserRuntime(), onLifecycle: () => () => {} }
  return startElectronPage({ meters }, { port: bridgeThrough(bridge, locks, runtime.newStreamId()), runtime })
}

const openWorld = () => electronWorld({ meters: [calls, clicks] })

describe('a worker of a page', () => {
  it('records through its page: the receipt crosses both, and the event arrives once', async () => {
    const world = await openWorld()
    const usage = start(lent(world))
    const receipt = usage.record(calls, { n: 1 })
    await expect(receipt.durable).resolves.toBe('memory')
    await usage.flush()
    expect(world.relay.ids).toEqual([receipt.id])
    await usage.close()
  })

  it('may have several agents on one port', async () => {
    const world = await openWorld()
    const bridge = lent(world)
    const agents = [1, 2, 3].map(() => start(bridge))
    const receipts = agents.map((usage, n) => usage.record(calls, { n }))
    await Promise.all(receipts.map(({ durable }) => durable))
    await world.main.flush()
    expect(world.relay.ids.toSorted()).toEqual(receipts.map(({ id }) => id).toSorted())
    expect(world.main.pages().agents).toBe(3)
    await Promise.all(agents.map((usage) => usage.close()))
    expect(world.main.pages().agents).toBe(0)
  })

  it('that is terminated leaves its open windows to the main process, while its page lives on', async () => {
    const world = await openWorld()
    const { port1, port2 } = new MessageChannel()
    const worker = world.locks.client()
    serveWorker(world.electron.openWindow().port, port1, world.locks.client().manager)
    const usage = start(port2, worker.manager, [clicks])
    const receipts = [2, 3].map((n) => usage.record(clicks, { n }))
    await Promise.all(receipts.map(({ durable }) => durable))
    expect(world.main.pages().agents).toBe(1)
    await usage.streams()
    port2.close()
    worker.kill()
    await vi.waitFor(() => expect(world.main.pages().agents).toBe(0), WAIT)
    await vi.waitFor(async () => {
      await world.main.flush()
      expect([...world.relay.events.values()]).toMatchObject([['clicks', expect.any(Number), { n: 5 }]])
    }, WAIT)
  })

  it('is under the same watch as its page: what is refused is refused with its code', async () => {
    const world = await openWorld()
    const usage = start(lent(world))
    await usage.record(calls, { n: 1 }).durable
    await expect(usage.purge()).rejects.toMatchObject({ code: 'not_allowed' })
    await usage.close()
  })

  it('that talks rubbish harms nobody: the main process refuses it, and the page goes on', async () => {
    const world = await openWorld()
    const bridge = lent(world)
    for (const rubbish of [
      null,
      7,
      'x',
      {},
      { id: 'a' },
      { id: 'b', request: { kind: 'hello' } },
      { lock: null },
      [],
    ]) {
      bridge.postMessage(rubbish)
    }
    const usage = start(bridge)
    expect(await usage.record(calls, { n: 1 }).durable).toBe('memory')
    expect(world.refusals.length).toBeGreaterThan(0)
    expect(new Set(world.refusals.map(({ code }) => code))).toEqual(new Set(['bad_message']))
    await usage.close()
  })

  it('whose page has no bridge has none either: the page hears what is missing', () => {
    expect(() => lendBridge()).toThrow(expect.objectContaining({ code: 'bridge_missing' }))
    expect(() => lendBridge({ version: 99, call: async () => {} })).toThrow(
      expect.objectContaining({ code: 'wrong_version' }),
    )
  })

  it('without a port is told where to get one', () => {
    expect(() => createAgent({ meters: [calls] })).toThrow(/lendBridge\(\)/)
  })
})
