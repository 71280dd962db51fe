import { describe, expect, test } from 'vitest'
import { type DrainOutcome, drainOnce } from '../../src/agent/drain.ts'
import { type DrainOptions, readDrainOptions } from '../../src/agent/drain-options.ts'
import { drainPatiently } from '../../src/agent/drain-patiently.ts'
import type { Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { events } from '../contract/outbox-kit.ts'
import { sharedOutbox, world } from '../support/agent-world.ts'
import { deferred, failure, settle } from '../support/fake-clock.ts'
import { fakeRuntime } from '../support/fake-runtime.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

const LOCK = 'metertap:metertap:a'

interface Worker {
  readonly w: ReturnType<typeof world>
  readonly outbox: Outbox
  readonly asked: () => number
  readonly abort: AbortController
  drain(options?: Partial<DrainOptions>, patienceMs?: number): Promise<DrainOutcome>
}

/** A service worker beside an outbox in which accounts a and b have left two events each. */
async function worker(isEmpty = false): Promise<Worker> {
  const w = world()
  const outbox = createMemoryOutbox({ random: () => 'device-1' })
  for (const [nth, tag] of isEmpty ? [] : ['a', 'b'].entries()) {
    await outbox.append(new UsageOwner(streamId(nth + 1), tag).group(events(2, tag)))
  }
  let asked = 0
  const abort = new AbortController()
  const { clock, relay, locks, channels } = w
  const newStreamId = () => streamId(9)
  const runtime = fakeRuntime({ clock, fetch: relay.fetch, newStreamId, locks: locks.manager, channels })
  const token = () => {
    asked++
    return { token: 'token-a', account: 'a' }
  }
  return {
    ...{ w, outbox, abort },
    asked: () => asked,
    drain: (options, patienceMs = 0) => {
      const settings = readDrainOptions({ relay: 'https://relay.test', token, ...options })
      const parts = { settings, runtime, outbox, signal: abort.signal }
      return patienceMs === 0 ? drainOnce(parts) : drainPatiently(parts, patienceMs)
    },
  }
}

describe('a service worker drains', () => {
  test('what waits of whoever is signed in, and nothing of anybody else', async () => {
    const { w, drain, outbox } = await worker()
    expect(await drain()).toBe('done')
    expect(w.relay.ids).toEqual([`${streamId(1)}-0`, `${streamId(1)}-1`])
    expect([...w.relay.tokens.values()]).toEqual(['token-a', 'token-a'])
    expect((await outbox.totals()).events).toBe(2)
    expect(w.clock.pendingMs).toEqual([])
    expect(w.locks.isHeld(LOCK)).toBe(false)
  })

  test('a plain token is of the account that was named', async () => {
    const { w, drain } = await worker()
    expect(await drain({ token: () => 'token-b', account: 'b' })).toBe('done')
    expect(w.relay.ids).toEqual([`${streamId(2)}-0`, `${streamId(2)}-1`])
    const { w: other, drain: drainUnnamed } = await worker()
    expect(await drainUnnamed({ token: () => 'token-of-somebody' })).toBe('done')
    expect(other.relay.ids, 'of no account').toEqual([])
  })

  test('asks for no token when nothing waits, and sends nothing when nobody is signed in', async () => {
    const empty = await worker(true)
    expect([await empty.drain(), empty.asked()]).toEqual(['done', 0])
    const { w, drain } = await worker()
    expect(await drain({ token: () => undefined })).toBe('signed-out')
    expect(await drain({ token: () => null })).toBe('signed-out')
    expect((await failure(() => drain({ token: () => 7 as never }))).code).toBe('token_unavailable')
    expect(w.relay.requests).toEqual([])
  })

  test('stops when somebody else signs in while a refused token is renewed', async () => {
    const { w, drain } = await worker()
    w.relay.accepts = (token) => token === 'token-b'
    let asked = 0
    const outcome = await drain({
      token: () => ({ token: asked++ === 0 ? 'token-a' : 'token-b', account: asked === 1 ? 'a' : 'b' }),
    })
    expect(outcome).toBe('later')
    expect(w.relay.ids).toEqual([])
  })

  test('leaves it to a page that is the sender', async () => {
    const { w, drain } = await worker()
    const left = deferred()
    void w.locks.manager.request(LOCK, () => left.promise)
    expect(await drain()).toBe('busy')
    expect(w.relay.requests).toEqual([])
    left.resolve()
    await settle()
    expect(await drain()).toBe('done')
  })

  test('gives back what it could not send, and says that there is more to do', async () => {
    const { w, drain } = await worker()
    w.relay.faults.push('offline')
    expect(await drain()).toBe('later')
    expect(w.clock.pendingMs).toEqual([])
    expect(await drain()).toBe('done')
    expect(w.relay.ids).toHaveLength(2)
  })

  describe('with patience, as on Background Sync', () => {
    const PATIENCE_MS = 40_000

    test('what fails is tried again after its backoff, and arrives once', async () => {
      const { w, drain } = await worker()
      w.relay.faults.push('offline', 503, 'lost')
      const outcome = drain({}, PATIENCE_MS)
      await w.clock.advance(PATIENCE_MS)
      expect(await outcome).toBe('done')
      expect(w.relay.ids).toHaveLength(2)
      expect(w.relay.conflicts).toEqual([])
      expect(w.clock.pendingMs).toEqual([])
      expect(w.locks.isHeld(LOCK)).toBe(false)
    })

    test('which ends: a relay that stays away is left to the browser’s next try', async () => {
      const { w, drain } = await worker()
      w.relay.faults.push(...Array.from({ length: 100 }, () => 'offline' as const))
      const outcome = drain({}, PATIENCE_MS)
      await w.clock.advance(PATIENCE_MS)
      expect(await outcome).toBe('later')
      expect(w.relay.faults.length).toBeGreaterThan(80)
      expect(w.clock.pendingMs).toEqual([])
    })

    test('and cuts no Retry-After short', async () => {
      const { w, drain } = await worker()
      w.relay.faults.push(new Response('', { status: 503, headers: { 'retry-after': '60' } }))
      expect(await drain({}, PATIENCE_MS)).toBe('later')
      expect([w.relay.requests.length, w.relay.ids]).toEqual([1, []])
    })

    test('ends at once when its time is over', async () => {
      const { w, drain, abort } = await worker()
      w.relay.faults.push('offline', 'offline', 'offline')
      const outcome = drain({}, PATIENCE_MS)
      await settle()
      abort.abort()
      expect(await outcome).toBe('later')
      expect(w.clock.pendingMs).toEqual([])
    })

    test('a back end that cannot be asked for the token yet is asked again, not for ever', async () => {
      const { w, drain } = await worker()
      let asked = 0
      const token = () => {
        if (asked++ < 3) throw new TypeError('Failed to fetch')
        return 'token-a'
      }
      const outcome = drain({ token, account: 'a' }, PATIENCE_MS)
      await w.clock.advance(PATIENCE_MS)
      expect([await outcome, asked, w.relay.ids.length]).toEqual(['done', 4, 2])
      asked = Number.NEGATIVE_INFINITY
      const given = failure(() => drain({ token, account: 'b' }, PATIENCE_MS))
      await w.clock.advance(PATIENCE_MS)
      expect((await given).message).toBe('Failed to fetch')
      expect(w.clock.pendingMs).toEqual([])
    })

    test('a page that is the sender may be on its way out: what it leaves is sent', async () => {
      const { w, drain } = await worker()
      const page = w.locks.client()
      void page.manager.request(LOCK, () => new Promise(() => {}))
      await settle()
      const outcome = drain({}, PATIENCE_MS)
      await w.clock.advance(3_000)
      expect(w.relay.ids).toEqual([])
      page.kill()
      await w.clock.advance(5_000)
      expect(await outcome).toBe('done')
      expect(w.relay.ids).toHaveLength(2)
    })
  })

  test('ends in the middle of a request when its time is over, and loses nothing', async () => {
    const { w, drain, abort } = await worker()
    w.relay.faults.push(() => new Promise(() => {}))
    const outcome = drain()
    await settle()
    abort.abort()
    expect(await outcome).toBe('later')
    expect(w.locks.isHeld(LOCK)).toBe(false)
  })

  test('ends when a page takes the lock away', async () => {
    const { w, drain, outbox } = await worker()
    w.relay.faults.push(() => new Promise(() => {}))
    const outcome = drain()
    await settle()
    w.locks.steal(LOCK)
    expect(await outcome).toBe('busy')
    await settle()
    expect((await outbox.totals()).events).toBe(4)
  })

  test('sends all the same where locks are denied', async () => {
    const outbox = createMemoryOutbox({ random: () => 'device-1' })
    await outbox.append(new UsageOwner(streamId(1), '').group(events(1)))
    const w = world()
    const denied = new DOMException('Denied', 'SecurityError')
    const locks = { request: () => Promise.reject(denied) } as unknown as LockManager
    const { clock, relay } = w
    const runtime = fakeRuntime({ clock, fetch: relay.fetch, newStreamId: () => streamId(9), locks })
    const settings = readDrainOptions({ relay: 'https://relay.test', token: () => 'token-1' })
    expect(await drainOnce({ settings, runtime, outbox, signal: new AbortController().signal })).toBe('done')
    expect(relay.ids).toHaveLength(1)
  })
})

describe('a service worker and pages', () => {
  test('a page that asks while the worker sends is answered, and does not take over', async () => {
    const w = world()
    const memory = createMemoryOutbox({ random: () => 'device-1' })
    const outbox = sharedOutbox(memory)
    await outbox.append(new UsageOwner(streamId(1), '').group(events(1)))
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    const { clock, relay, locks, channels } = w
    const manager = locks.client().manager
    const runtime = fakeRuntime({ clock, fetch: relay.fetch, newStreamId: () => streamId(9), locks: manager, channels })
    const settings = readDrainOptions({ relay: 'https://relay.test', token: () => 'token-1' })
    const outcome = drainOnce({ settings, runtime, outbox, signal: new AbortController().signal })
    await settle()
    const { agent } = await w.open({}, { outbox })
    const flushed = agent.flush()
    await clock.advance(11_000)
    expect(agent.stats().sender).toBe(false)
    hang.resolve()
    expect(await outcome).toBe('done')
    await flushed
    await settle()
    expect(agent.stats()).toMatchObject({ sender: true, waiting: 0 })
    expect(relay.ids).toHaveLength(1)
  })
})

describe('drainUsage() options', () => {
  const good = { relay: 'https://relay.test', token: () => 'x' }
  test.each([
    [undefined, 'token'],
    [{ ...good, token: 'x' }, 'token'],
    [{ ...good, relay: 'usage' }, 'relay'],
    [{ ...good, onFetch: 1 }, 'onFetch'],
    [{ ...good, account: 7 }, 'account'],
    [{ ...good, maxBatchBytes: 0 }, 'maxBatchBytes'],
  ])('%o is refused by name', async (options, name) => {
    const error = await failure(() => readDrainOptions(options as never))
    expect([error.code, error.message.startsWith(`drainUsage: ${name}`)]).toEqual(['bad_option', true])
  })
})
