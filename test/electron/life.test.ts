import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { bills, calls } from '../support/agent-world.ts'
import { electronWorld } from '../support/electron-world.ts'
import { settle } from '../support/fake-clock.ts'

const clicks = defineMeter('clicks', z.object({ n: z.number() }), { aggregate: { windowMs: 60_000, sum: ['n'] } })
const meters = [calls, bills, clicks]

describe('the end of a page', () => {
  it.each([
    ['crash', 'crash'],
    ['close', 'close'],
  ] as const)('a %s: what was durable arrives, sums of open windows too, each once', async (_name, end) => {
    const world = await electronWorld({ meters })
    const page = await world.openPage({}, { meters })
    const plain = page.agent.record(calls, { n: 1 })
    const sums = [1, 2, 3].map((n) => page.agent.record(clicks, { n }))
    await Promise.all([plain, ...sums].map(({ durable }) => durable))
    expect(await world.outbox.openRollups()).toHaveLength(1)
    page[end]()
    await settle()
    expect(await world.outbox.openRollups()).toEqual([])
    await world.clock.advance(120_000)
    expect(world.relay.ids.toSorted()).toEqual([plain.id, sums[0]?.id].toSorted())
    expect(world.relay.events.get(sums[0]?.id as string)).toMatchObject(['clicks', expect.any(Number), { n: 6 }])
    expect((await world.outbox.totals()).events).toBe(0)
    expect(world.main.pages()).toEqual({ agents: 0, refused: {} })
  })

  it('a navigation: after a moment, and not while the page still speaks', async () => {
    const world = await electronWorld({ meters })
    const page = await world.openPage({}, { meters })
    await page.agent.record(clicks, { n: 1 }).durable
    page.contents.emit('did-navigate')
    await world.clock.advance(5_000)
    await page.agent.record(clicks, { n: 2 }).durable
    await world.clock.advance(15_000)
    expect(await world.outbox.openRollups()).toHaveLength(1)
    page.cut()
    page.contents.emit('did-navigate')
    await world.clock.advance(11_000)
    expect(await world.outbox.openRollups()).toEqual([])
    expect(world.main.pages().agents).toBe(0)
  })

  it('a page that comes back from the dead goes on with its stream', async () => {
    const world = await electronWorld({ meters })
    const page = await world.openPage({}, { meters })
    const first = page.agent.record(calls, { n: 1 })
    await first.durable
    page.runtime.tell('pagehide')
    page.contents.emit('did-navigate')
    await world.clock.advance(11_000)
    page.runtime.tell('pageshow')
    const second = page.agent.record(calls, { n: 2 })
    await expect(second.durable).resolves.toBeDefined()
    await world.main.flush()
    expect(world.relay.ids).toEqual([first.id, second.id])
    expect(world.main.pages()).toEqual({ agents: 1, refused: {} })
  })

  it('a live page’s window is its own, however late: the main process does not close it', async () => {
    const world = await electronWorld({ meters })
    const page = await world.openPage({}, { meters })
    await page.agent.record(clicks, { n: 1 }).durable
    // The page's timers sleep, the main process's do not.
    page.runtime.state.freeze()
    await world.clock.advance(10 * 60_000)
    expect(await world.outbox.openRollups()).toHaveLength(1)
    page.runtime.state.thaw()
    await settle()
    await world.main.flush()
    expect(world.relay.ids).toHaveLength(1)
    expect(world.refusals).toEqual([])
  })

  it('a meter that only the page knows is refused there, at no cost to its neighbours', async () => {
    const world = await electronWorld()
    const page = await world.openPage({}, { meters })
    expect(page.heard).toContainEqual({ event: 'trouble', detail: expect.objectContaining({ code: 'unknown_meter' }) })
    const [good, bad] = [page.agent.record(calls, { n: 1 }), page.agent.record(clicks, { n: 1 })]
    expect(bad.error).toMatchObject({ code: 'unknown_meter' })
    await expect(good.durable).resolves.toBeDefined()
  })
})

describe('the end of the application', () => {
  it('waits for what can be sent, once, then quits', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    const receipt = page.agent.record(calls, { n: 1 })
    await receipt.durable
    page.close()
    expect(world.electron.app.tryToQuit()).toBe(false)
    await settle()
    expect(world.electron.app.quits).toBe(1)
    expect(world.relay.ids).toEqual([receipt.id])
  })

  it('waits two seconds at most for a relay that does not answer; the events are in the outbox', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    await page.agent.record(calls, { n: 1 }).durable
    page.close()
    world.relay.faults.push(() => new Promise<void>(() => {}))
    expect(world.electron.app.tryToQuit()).toBe(false)
    expect(world.electron.app.tryToQuit()).toBe(false)
    await world.clock.advance(1_900)
    expect(world.electron.app.quits).toBe(0)
    await world.clock.advance(200)
    expect(world.electron.app.quits).toBe(1)
  })

  it('offline it does not wait', async () => {
    const world = await electronWorld()
    world.relay.faults.push('offline', 'offline', 'offline')
    const page = await world.openPage()
    await page.agent.record(calls, { n: 1 }).durable
    world.electron.app.tryToQuit()
    await settle()
    expect(world.electron.app.quits).toBe(1)
  })

  it('an agent that was closed holds nothing back', async () => {
    const world = await electronWorld()
    await world.main.close()
    expect(world.electron.app.tryToQuit()).toBe(true)
    expect(world.electron.powerMonitor.eventNames()).toEqual([])
  })
})

describe('sleep and long absence', () => {
  it('a machine that wakes up sends at once, whatever backoff had chosen', async () => {
    const world = await electronWorld()
    world.relay.faults.push(...Array.from({ length: 12 }, () => 'offline' as const))
    const page = await world.openPage()
    await page.agent.record(calls, { n: 1 }).durable
    await world.clock.advance(60_000)
    world.relay.faults.length = 0
    const waitMs = (world.main.stats().nextTryAtMs ?? 0) - world.clock.now()
    expect(waitMs).toBeGreaterThan(1_000)
    world.clock.step(8 * 3_600_000)
    world.electron.powerMonitor.emit('resume')
    await settle()
    expect(world.relay.ids).toHaveLength(1)
  })

  it.each(['suspend', 'resume', 'unlock-screen'])('%s sends what waits', async (event) => {
    const world = await electronWorld()
    const page = await world.openPage()
    await page.agent.record(calls, { n: 1 }).durable
    world.electron.powerMonitor.emit(event)
    await settle()
    expect(world.relay.ids).toHaveLength(1)
  })

  it('three weeks without network: a try a minute at most, and all arrive once when it is back', async () => {
    const world = await electronWorld()
    const days = 21
    const isOffline = { now: true }
    const offline = () => {
      if (isOffline.now) throw new TypeError('Failed to fetch')
    }
    for (let n = 0; n < days * 24 * 60 * 3; n++) world.relay.faults.push(offline)
    const page = await world.openPage()
    const receipts = []
    for (let day = 0; day < days; day++) {
      const receipt = page.agent.record(calls, { n: day })
      await receipt.durable
      receipts.push(receipt.id)
      // A night's sleep: timers stand still, the clock goes on.
      world.clock.step(86_400_000 - 600_000)
      await world.clock.advance(600_000)
    }
    expect(world.relay.requests.length).toBeLessThan(days * 30)
    isOffline.now = false
    world.relay.faults.length = 0
    world.electron.powerMonitor.emit('resume')
    await settle()
    expect(world.relay.ids).toEqual(receipts)
  })

  it('a clock that is set back or far ahead stops nothing', async () => {
    const world = await electronWorld({ meters })
    const page = await world.openPage({}, { meters })
    for (const jumpMs of [-30 * 86_400_000, 400 * 86_400_000, -400 * 86_400_000]) {
      world.clock.step(jumpMs)
      await page.agent.record(clicks, { n: 1 }).durable
      await page.agent.record(calls, { n: 1 }).durable
      await world.clock.advance(10_000)
    }
    page.close()
    await world.clock.advance(60_000)
    expect(world.relay.ids.filter((id) => (world.relay.events.get(id) as unknown[])[0] === 'calls')).toHaveLength(3)
    const sums = [...world.relay.events.values()].filter((event) => (event as unknown[])[0] === 'clicks')
    expect(sums.reduce((sum: number, event) => sum + (event as [string, number, { n: number }])[2].n, 0)).toBe(3)
  })
})
