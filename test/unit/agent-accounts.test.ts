import { describe, expect, test } from 'vitest'
import { calls, type Page, sharedOutbox, type World, world } from '../support/agent-world.ts'
import { deferred, settle } from '../support/fake-clock.ts'

/** Which account's numbers each token carried: `n` is 100 and up for b. */
function carried(w: World): [token: string | undefined, account: string][] {
  return w.relay.requests.flatMap(({ token, batch }) =>
    batch.segments.flatMap(({ events }) =>
      events.map((event): [string | undefined, string] => {
        const { n } = (event as [string, number, { n: number }])[2]
        return [token, n < 100 ? 'a' : 'b']
      }),
    ),
  )
}

const account = (name: string) => ({ account: name, token: () => `token-${name}` })

function expectNoMixture(w: World, events: number): void {
  expect(w.relay.events.size).toBe(events)
  for (const [token, owner] of carried(w)) expect(token).toBe(`token-${owner}`)
}

describe('an account switch', () => {
  test('log-out and log-in on one page: nobody’s events travel under the other’s token', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const a = await w.open(account('a'), { outbox, online: false })
    for (let n = 0; n < 5; n++) a.agent.record(calls, { n })
    await a.agent.close()
    const b = await w.open(account('b'), { outbox })
    b.agent.record(calls, { n: 100 })
    await b.agent.flush()
    expectNoMixture(w, 1)
    b.runtime.tell('pagehide')
    await b.agent.close()
    await w.clock.advance(600_000)
    expectNoMixture(w, 1)
    const again = await w.open(account('a'), { outbox })
    await again.agent.flush()
    expectNoMixture(w, 6)
  })

  test('in the middle of a request', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const a = await w.open(account('a'), { outbox })
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    a.agent.record(calls, { n: 1 })
    void a.agent.flush()
    await settle()
    const closing = a.agent.close()
    const b = await w.open(account('b'), { outbox })
    b.agent.record(calls, { n: 100 })
    await b.agent.flush()
    hang.resolve()
    await closing
    await w.clock.advance(60_000)
    expectNoMixture(w, 2)
  })

  test('two at once, in many tabs: each has a sender of its own', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const all: Page[] = []
    for (const name of ['a', 'b', 'a', 'b']) all.push(await w.open(account(name), { outbox }))
    expect(all.map(({ agent }) => agent.stats().sender)).toEqual([true, true, false, false])
    for (const [n, { agent, runtime }] of all.entries()) {
      agent.record(calls, { n: n % 2 ? 100 + n : n })
      if (n === 0) runtime.tell('hidden')
    }
    await w.clock.advance(10_000)
    expectNoMixture(w, 4)
  })

  test('last words are of the page’s own account', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open(account('a'), { outbox }), await w.open(account('b'), { outbox })]
    for (const [n, { agent }] of [a, b].entries()) {
      agent.record(calls, { n: n * 100 })
      await agent.flush()
      agent.record(calls, { n: n * 100 + 1 })
    }
    await settle()
    for (const { runtime } of [a, b]) runtime.tell('pagehide')
    await settle()
    expect(w.relay.requests.filter(({ path }) => path === '/v1/exit')).toHaveLength(2)
    expectNoMixture(w, 4)
  })

  test('purge() erases one account’s events alone', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open(account('a'), { outbox }), await w.open(account('b'), { outbox })]
    for (const { agent } of [a, b]) agent.pause('test')
    a.agent.record(calls, { n: 1 })
    b.agent.record(calls, { n: 100 })
    await settle()
    expect(await a.agent.purge()).toMatchObject({ events: 1, accountTag: 'a' })
    for (const { agent } of [a, b]) agent.resume('test')
    await settle()
    expectNoMixture(w, 1)
  })

  test('names that look alike share nothing', async () => {
    const w = world()
    const [x, y] = [
      await w.open({ outbox: 'one:two', account: 'three' }, { outbox: sharedOutbox() }),
      await w.open({ outbox: 'one', account: 'two:three' }, { outbox: sharedOutbox() }),
    ]
    expect([x.agent.stats().sender, y.agent.stats().sender]).toEqual([true, true])
  })
})

describe('a purge in one of many tabs', () => {
  test('leaves nothing of the account for the others’ last words', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open({}, { outbox }), await w.open({}, { outbox })]
    a.agent.record(calls, { n: 1 })
    await a.agent.flush()
    a.agent.record(calls, { n: 2 })
    await settle()
    expect(await b.agent.purge()).toMatchObject({ events: 1 })
    await settle()
    a.runtime.tell('pagehide')
    await settle()
    expect(w.relay.requests.filter(({ path }) => path === '/v1/exit')).toEqual([])
    expect(w.relay.events.size).toBe(1)
  })
})

describe('a token', () => {
  test('is asked for once at a time, and a slow one is given up after 30 s', async () => {
    const w = world()
    let asked = 0
    const { agent } = await w.open({
      token: () => {
        asked++
        return new Promise<string>(() => {})
      },
    })
    agent.record(calls, { n: 1 })
    void agent.flush()
    void agent.flush()
    await w.clock.advance(29_000)
    expect([asked, agent.stats().pausedBy]).toEqual([1, []])
    await w.clock.advance(1_000)
    expect(agent.stats().pausedBy).toEqual(['auth'])
    await w.clock.advance(2_000)
    expect(asked).toBe(2)
  })

  test('a second 401 in a row backs off, and drops nothing', async () => {
    const w = world()
    let asked = 0
    w.relay.accepts = () => asked > 6
    const { agent } = await w.open({ token: () => `token-${++asked}` })
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect([asked, agent.stats().pausedBy, agent.stats().waiting]).toEqual([2, ['auth'], 1])
    await w.clock.advance(120_000)
    expect([w.relay.events.size, agent.stats().pausedBy]).toEqual([1, []])
    expect(w.relay.requests.length, 'no storm').toBeLessThan(12)
  })
})
