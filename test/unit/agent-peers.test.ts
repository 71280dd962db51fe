import { describe, expect, test } from 'vitest'
import type { LifecycleEvent } from '../../src/runtime/contract.ts'
import { calls, type Page, sharedOutbox, streamOf, type World, world } from '../support/agent-world.ts'
import { deferred, settle } from '../support/fake-clock.ts'

const LOCK = 'metertap:metertap:'

/** So many pages on one outbox; the first is the sender. */
async function pages(w: World, count: number): Promise<Page[]> {
  const outbox = sharedOutbox()
  const all: Page[] = []
  for (let n = 0; n < count; n++) all.push(await w.open({}, { outbox }))
  return all
}

const senders = (all: readonly Page[]) => all.map(({ agent }) => agent.stats().sender)
const sentEvents = (w: World) =>
  w.relay.requests.flatMap(({ batch }) => batch.segments.flatMap(({ events }) => events)).length

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  void promise.then(() => {
    settled = true
  })
  await settle()
  return settled
}

describe('many tabs', () => {
  test('twenty make no more requests than one', async () => {
    const requests = async (count: number) => {
      const w = world()
      const all = await pages(w, count)
      for (let round = 0; round < 5; round++) {
        for (let n = 0; n < 40; n++) all[n % count]?.agent.record(calls, { n })
        await w.clock.advance(7_000)
      }
      await w.clock.advance(60_000)
      expect(w.relay.events.size).toBe(200)
      return w.relay.requests.length
    }
    expect(await requests(20)).toBeLessThanOrEqual(await requests(1))
  })

  test('nothing is polled: silence when nothing waits', async () => {
    const w = world()
    const all = await pages(w, 20)
    all[7]?.agent.record(calls, { n: 1 })
    await w.clock.advance(60_000)
    expect(w.relay.events.size).toBe(1)
    const said = w.channels.said.length
    await w.clock.advance(600_000)
    expect([w.clock.pendingMs, w.channels.said.length - said]).toEqual([[], 0])
  })

  test('a follower says at once that something waits, and once for many', async () => {
    const w = world()
    const [, b] = await pages(w, 2)
    const before = w.channels.said.length
    for (let n = 0; n < 10; n++) await b?.agent.record(calls, { n }).durable
    await settle()
    expect(w.channels.said.slice(before).map(({ kind }) => kind)).toEqual(['flush', 'alive'])
    b?.crash()
    await w.clock.advance(5_000)
    expect(w.relay.events.size).toBe(10)
  })

  test.each(['hidden', 'pagehide', 'freeze'] as const)('a follower that leaves by %s leaves word', async (event) => {
    const w = world()
    const [, b] = await pages(w, 2)
    await w.clock.advance(10_000)
    b?.agent.record(calls, { n: 1 })
    await null
    b?.runtime.tell(event)
    // Gone before anything can tell it that the event is stored.
    b?.crash()
    await w.clock.advance(5_000)
    expect(w.relay.events.size).toBe(1)
  })
})

describe('the sender hands over', () => {
  async function leave(how: (sender: Page) => unknown) {
    const w = world()
    const [sender, other] = (await pages(w, 2)) as [Page, Page]
    other.agent.record(calls, { n: 1 })
    await settle()
    await how(sender)
    await settle()
    other.agent.record(calls, { n: 2 })
    await w.clock.advance(5_000)
    expect([w.relay.events.size, other.agent.stats().sender]).toEqual([2, true])
    return { w, sender, other }
  }

  test('by close()', () => leave(({ agent }) => agent.close()))

  test('by a crash', () => leave((sender) => sender.crash()))

  test.each([
    ['pagehide', 'pageshow'],
    ['freeze', 'resume'],
  ] as const)('by %s, and stands again after %s', async (away, back) => {
    const { w, sender, other } = await leave(({ runtime }) => runtime.tell(away))
    sender.runtime.tell(back)
    await settle()
    expect([sender.agent.stats().sender, other.agent.stats().sender]).toEqual([false, true])
    other.crash()
    sender.agent.record(calls, { n: 3 })
    await w.clock.advance(5_000)
    expect([w.relay.events.size, sender.agent.stats().sender]).toEqual([3, true])
  })

  test('when its application pauses it: others send, and it stands again afterwards', async () => {
    const w = world()
    const [a, b] = (await pages(w, 2)) as [Page, Page]
    a.agent.pause('consent')
    await settle()
    expect(senders([a, b])).toEqual([false, true])
    a.runtime.tell('visible')
    b.agent.record(calls, { n: 1 })
    await w.clock.advance(5_000)
    expect(w.relay.events.size).toBe(1)
    b.crash()
    await settle()
    expect(senders([a]), 'paused is paused, also when nobody else is left').toEqual([false])
    a.agent.resume('consent')
    await settle()
    expect(senders([a])).toEqual([true])
  })

  test('and does not stand while it is put aside, whatever its application does', async () => {
    const w = world()
    const [a, b] = (await pages(w, 2)) as [Page, Page]
    a.agent.pause('consent')
    a.runtime.tell('pagehide')
    a.agent.resume('consent')
    b.crash()
    await settle()
    expect([senders([a]), w.locks.isHeld(LOCK)]).toEqual([[false], false])
    a.runtime.tell('pageshow')
    await settle()
    expect(senders([a])).toEqual([true])
  })

  test('not while it is hidden only', async () => {
    const w = world()
    const all = await pages(w, 2)
    all[0]?.runtime.tell('hidden')
    await settle()
    expect(senders(all)).toEqual([true, false])
  })

  test('in the middle of a request: the next sends again, the relay takes each once', async () => {
    const w = world()
    const [a, b] = (await pages(w, 2)) as [Page, Page]
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    a.agent.record(calls, { n: 1 })
    void a.agent.flush()
    await settle()
    a.crash()
    await settle()
    hang.resolve()
    await settle()
    expect([w.relay.ids, b.agent.stats().accepted, b.agent.stats().waiting]).toEqual([[`${streamOf(0)}-0`], 1, 0])
  })
})

describe('a sender that holds the lock and is silent', () => {
  test('is replaced; when it comes back it queues, and nothing is doubled or lost', async () => {
    const w = world()
    const [a, b] = (await pages(w, 2)) as [Page, Page]
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    a.agent.record(calls, { n: 1 })
    void a.agent.flush()
    await settle()
    a.runtime.state.freeze()
    b.agent.record(calls, { n: 2 })
    await w.clock.advance(9_000)
    expect([w.relay.events.size, senders([a, b])]).toEqual([0, [true, false]])
    await w.clock.advance(2_000)
    expect([w.relay.events.size, b.agent.stats().sender]).toEqual([2, true])
    a.runtime.state.thaw()
    hang.resolve()
    await settle()
    expect([senders([a, b]), w.relay.events.size]).toEqual([[false, true], 2])
    a.agent.record(calls, { n: 3 })
    await w.clock.advance(5_000)
    expect([w.relay.events.size, b.agent.stats().waiting, w.locks.isHeld(LOCK)]).toEqual([3, 0, true])
    const accepted = a.agent.stats().accepted + b.agent.stats().accepted
    expect(accepted, 'counted once, whoever settled').toBe(3)
  })

  test('is replaced by one of many', async () => {
    const w = world()
    const all = await pages(w, 6)
    all[0]?.runtime.state.freeze()
    for (const [n, { agent }] of all.entries()) if (n > 0) agent.record(calls, { n })
    await w.clock.advance(60_000)
    expect(senders(all.slice(1)).filter(Boolean)).toHaveLength(1)
    expect([w.relay.events.size, sentEvents(w)]).toEqual([5, 5])
    all[0]?.runtime.state.thaw()
    await settle()
    expect(senders(all).filter(Boolean)).toHaveLength(1)
  })

  test('one that answers keeps its office, however long its request takes', async () => {
    const w = world()
    const all = (await pages(w, 2)) as [Page, Page]
    w.relay.faults.push(() => new Promise<void>(() => {}))
    all[0].agent.record(calls, { n: 1 })
    void all[0].agent.flush()
    all[1].agent.record(calls, { n: 2 })
    await w.clock.advance(25_000)
    expect(senders(all)).toEqual([true, false])
  })
})

describe('flush() of a follower', () => {
  test('resolves when the sender has delivered', async () => {
    const w = world()
    const [, b] = (await pages(w, 2)) as [Page, Page]
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    b.agent.record(calls, { n: 1 })
    const flushed = b.agent.flush()
    expect(await isSettled(flushed)).toBe(false)
    hang.resolve()
    await settle()
    expect([await isSettled(flushed), w.relay.events.size]).toEqual([true, 1])
    expect(b.agent.stats().waiting).toBe(0)
  })

  test('is not ended by the answer to another’s', async () => {
    const w = world()
    const [, b] = (await pages(w, 2)) as [Page, Page]
    const other = w.channels.open(LOCK, () => {})
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    b.agent.record(calls, { n: 1 })
    const flushed = b.agent.flush()
    await settle()
    const asked = w.channels.said.find(({ kind }) => kind === 'flush-now')
    other?.post({ kind: 'idle', of: 'another:0' })
    expect(await isSettled(flushed)).toBe(false)
    other?.post({ kind: 'idle', of: asked?.of as string })
    expect(await isSettled(flushed)).toBe(true)
    hang.resolve()
  })

  test('resolves after ten seconds when nobody answers', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const a = await w.open({}, { outbox })
    const b = await w.open({}, { outbox })
    a.runtime.state.freeze()
    const flushed = b.agent.flush()
    await w.clock.advance(9_999)
    expect(await isSettled(flushed)).toBe(false)
    await w.clock.advance(1)
    expect(await isSettled(flushed)).toBe(true)
  })

  test('outlives a change of the sender', async () => {
    const w = world()
    const [a, b, c] = (await pages(w, 3)) as [Page, Page, Page]
    w.relay.faults.push(() => new Promise<void>(() => {}))
    c.agent.record(calls, { n: 1 })
    const [flushed, own] = [c.agent.flush(), b.agent.flush()]
    await settle()
    a.crash()
    expect([await isSettled(flushed), w.relay.events.size, b.agent.stats().sender]).toEqual([true, 1, true])
    expect(await isSettled(own), 'one that has become the sender itself').toBe(true)
  })

  test('ends with close(), and leaves no timer', async () => {
    const w = world()
    const [a, b] = (await pages(w, 2)) as [Page, Page]
    await w.clock.advance(10_000)
    a.runtime.state.freeze()
    const flushed = b.agent.flush()
    await b.agent.close()
    expect(await isSettled(flushed)).toBe(true)
    expect(w.clock.pendingMs).toEqual([])
  })

  test('is over at once while this agent is paused', async () => {
    const w = world()
    const [, b] = (await pages(w, 2)) as [Page, Page]
    b.agent.pause('consent')
    expect(await isSettled(b.agent.flush())).toBe(true)
  })
})

describe('a page that is rendered in advance', () => {
  test('records, sends nothing and takes no office until it is shown', async () => {
    const w = world()
    let asked = 0
    const token = () => `token-${asked++}`
    const { agent, runtime } = await w.open({ token }, { outbox: sharedOutbox(), prerendering: true })
    expect(await agent.record(calls, { n: 1 }).durable).toBe('memory')
    await agent.flush()
    await w.clock.advance(600_000)
    expect([w.relay.requests.length, asked, agent.stats().pausedBy, w.locks.isHeld(LOCK)]).toEqual([
      0,
      0,
      ['prerendering'],
      false,
    ])
    runtime.tell('activated')
    await settle()
    expect([w.relay.events.size, agent.stats().pausedBy]).toEqual([1, []])
  })
})

describe('a page that is put aside', () => {
  test.each<[LifecycleEvent, LifecycleEvent]>([
    ['pagehide', 'pageshow'],
    ['freeze', 'resume'],
  ])('%s and %s, many times: every event arrives once, one timer at most', async (away, back) => {
    const w = world()
    const { agent, runtime } = await w.open({}, { outbox: sharedOutbox() })
    for (let n = 0; n < 20; n++) {
      agent.record(calls, { n })
      runtime.tell('hidden')
      runtime.tell(away)
      await settle(n % 4)
      runtime.tell(back)
      runtime.tell('visible')
      await settle(n % 3)
    }
    await w.clock.advance(60_000)
    expect([w.relay.events.size, agent.stats().accepted, agent.stats().waiting]).toEqual([20, 20, 0])
    expect([agent.stats().sender, w.clock.pendingMs]).toEqual([true, []])
  })
})
