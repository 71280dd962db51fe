import { describe, expect, it } from 'vitest'
import { BRIDGE_LIMITS } from '../../src/bridge/contract.ts'
import type { AppendGroup } from '../../src/outbox/contract.ts'
import { calls, streamOf } from '../support/agent-world.ts'
import { electronWorld } from '../support/electron-world.ts'
import { failure, settle } from '../support/fake-clock.ts'

const session = streamOf(900)
const stream = streamOf(901)
const event = (n: number, meter = 'calls') => JSON.stringify([meter, 1_700_000_000_000, { n }])

/** A group as an agent would make it, and as one would not. */
function group(parts: Omit<Partial<AppendGroup>, 'head'> & { head?: object } = {}): AppendGroup {
  const body = event(1)
  const segments = parts.segments ?? [{ stream, first: 0, count: 1, bytes: body.length, body }]
  const head = { stream, accountTag: '', openedAtMs: 1, recorded: 1, bytes: body.length, dropped: {}, refused: {} }
  return { strict: false, ...parts, segments, head: { ...head, ...parts.head } }
}

const hello = { v: 1, session, kind: 'hello' }
const append = (...groups: unknown[]) => ({ v: 1, session, kind: 'append', serial: 0, done: 0, groups })

/** What the main process says to one group. */
async function judge(parts: Parameters<typeof group>[0], options: Parameters<typeof electronWorld>[0] = {}) {
  const world = await electronWorld(options)
  const window = world.electron.openWindow()
  await window.invoke(hello)
  const answer = (await window.invoke(append(group(parts)))) as { ok: boolean; value: { outcomes: unknown[] } }
  const stored = await world.outbox.totals()
  const [outcome = answer] = answer.ok ? answer.value.outcomes : []
  return { outcome, stored, world, window }
}

const refusal = (code: string) => ({ ok: false, error: expect.objectContaining({ code }) })

describe('who may speak', () => {
  const asked = async (window: object, options: object = {}) => {
    const world = await electronWorld(options)
    const answer = await world.electron.openWindow(window).invoke(hello)
    return { answer, pages: world.main.pages(), refusals: world.refusals }
  }

  it('an allowed origin, alone', async () => {
    expect((await asked({ origin: 'app://acme' })).answer).toMatchObject({ ok: true })
    for (const origin of ['app://acme.evil', 'app://', 'https://app', 'file://', 'null', 'app://acme:1']) {
      const { answer, pages, refusals } = await asked({ origin, url: 'app://acme/index.html' })
      expect(answer).toEqual(refusal('not_allowed'))
      expect(pages).toEqual({ agents: 0, refused: { not_allowed: 1 } })
      expect(refusals).toMatchObject([{ code: 'not_allowed', origin, webContentsId: 1 }])
    }
  })

  it('files below a folder, and not beside it', async () => {
    const allowedOrigins = ['file:///opt/acme/app/']
    const from = (url: string, origin = 'file://') => asked({ origin, url }, { allowedOrigins })
    expect((await from('file:///opt/acme/app/index.html?x#y')).answer).toMatchObject({ ok: true })
    expect((await from('file:///opt/acme/app/index.html', 'null')).answer).toMatchObject({ ok: true })
    for (const url of [
      'file:///opt/acme/app/../../../tmp/evil.html',
      'file:///tmp/x.html',
      'file:///opt/acme/appx/a.html',
    ]) {
      expect((await from(url)).answer).toEqual(refusal('not_allowed'))
    }
    expect((await from('file:///opt/acme/app/a.html', 'https://evil.test')).answer).toEqual(refusal('not_allowed'))
  })

  it('frames inside of a page only where that is wanted, and never a sandboxed one', async () => {
    const inside = { isMainFrame: false }
    expect((await asked(inside)).answer).toEqual(refusal('not_allowed'))
    expect((await asked(inside, { allowSubframes: true })).answer).toMatchObject({ ok: true })
    const sandboxed = { ...inside, origin: 'null', url: 'file:///opt/a.html' }
    const options = { allowSubframes: true, allowedOrigins: ['file://'] }
    expect((await asked(sandboxed, options)).answer).toEqual(refusal('not_allowed'))
  })

  it('a frame that is gone is heard only if it was known', async () => {
    const world = await electronWorld()
    const [stranger, page] = [world.electron.openWindow(), world.electron.openWindow()]
    stranger.loseFrame()
    expect(await stranger.invoke(hello)).toEqual(refusal('not_allowed'))
    await page.invoke(hello)
    page.loseFrame()
    expect(await page.invoke(append(group()))).toMatchObject({ ok: true, value: { outcomes: [{ ok: true }] } })
  })

  it.each([[undefined], [[]], [['*']], [['https://*.acme.test']], [['app://acme/path']], ['app://acme'], [[7]]])(
    'allowedOrigins %j is an error that says what to do',
    async (allowedOrigins) => {
      const error = await failure(() => electronWorld({ allowedOrigins: allowedOrigins as never }))
      expect(error).toMatchObject({ code: 'bad_option', message: expect.stringContaining('allowedOrigins') })
    },
  )
})

describe('what may be said', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const polluted = JSON.parse('{"v":1,"kind":"hello","__proto__":{"isAdmin":true}}') as object
  let nested: unknown = 1
  for (let depth = 0; depth < 1_000; depth++) nested = [nested]

  it.each([
    ['nothing', undefined],
    ['a number', 7],
    ['text', 'hello'],
    ['a list', []],
    ['no kind', { v: 1, session }],
    ['an unknown kind', { v: 1, session, kind: 'quit' }],
    ['an inherited name as kind', { v: 1, session, kind: 'constructor' }],
    ['more fields', { ...hello, relay: 'https://evil.test' }],
    ['a map', new Map([['v', 1]])],
    ['bytes', new Uint8Array(10)],
    ['a date', { ...hello, v: new Date() }],
    ['a big number', { ...hello, v: 1n }],
    ['a circle', cyclic],
    ['a prototype', polluted],
    ['what is nested deep', { ...hello, nested }],
    ['a list with holes', { ...hello, list: new Array(2 ** 32 - 1) }],
    ['a session that is no id', { ...hello, session: 'x' }],
    ['an append without groups', append()],
    ['a group of nothing', append(null)],
    ['leases of its own', append({ ...group(), hidden: [] })],
    ['numbers that are none', append(group({ head: { recorded: 1.5 } }))],
    ['negative numbers', append(group({ head: { recorded: -1 } }))],
    ['a tally of a forbidden name', append(group({ head: { refused: JSON.parse('{"__proto__":1}') } }))],
  ])('%s is refused, and nothing breaks', async (_what, message) => {
    const world = await electronWorld()
    const window = world.electron.openWindow()
    expect(await window.invoke(message)).toEqual(refusal('bad_message'))
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
    expect(world.main.pages().refused).toEqual({ bad_message: 1 })
    expect(await window.invoke(hello)).toMatchObject({ ok: true })
  })

  it('what is too long is refused unread', async () => {
    const world = await electronWorld()
    const body = 'x'.repeat(BRIDGE_LIMITS.maxMessageBytes + 1)
    const long = append(group({ segments: [{ stream, first: 0, count: 1, bytes: 1, body }] }))
    expect(await world.electron.openWindow().invoke(long)).toEqual(refusal('bad_message'))
  })

  it('another version is told apart from nonsense', async () => {
    const world = await electronWorld()
    expect(await world.electron.openWindow().invoke({ ...hello, v: 2 })).toEqual(refusal('wrong_version'))
  })
})

describe('what may be stored', () => {
  const segment = (body: string, count = 1, first = 0) => ({ stream, first, count, bytes: 1, body })

  it.each([
    ['no JSON', { segments: [segment('["calls",1,{}')] }],
    ['what closes the list', { segments: [segment(`${event(1)}],[${event(2)}`)] }],
    ['more events than said', { segments: [segment(`${event(1)},${event(2)}`)] }],
    ['what is no event', { segments: [segment('{"calls":1}')] }],
    ['another stream’s segment', { segments: [{ ...segment(event(1)), stream: streamOf(5) }] }],
    ['a number twice', { segments: [segment(event(1)), segment(event(2))], head: { recorded: 1 } }],
    ['fewer numbers than events', { segments: [segment(event(1))], head: { recorded: 0 } }],
    ['numbers without end', { segments: [segment(event(1))], head: { recorded: 9_007_199_254_740_991 } }],
    ['events given up that were stored', { segments: [segment(event(1))], head: { dropped: { oops: 1 } } }],
    ['a closed window that was none', { segments: [], closed: [0], head: { recorded: 1 } }],
    [
      'a window of two events',
      { segments: [], rollups: [{ stream, seq: 0, accountTag: '', event: `${event(1)},${event(2)}`, closesAtMs: 1 }] },
    ],
  ])('%s: refused', async (_what, parts) => {
    const { outcome, stored } = await judge(parts)
    expect(outcome).toEqual(refusal('bad_message'))
    expect(stored.events).toBe(0)
  })

  it('a meter that the main process does not know: the receipt says why', async () => {
    const { outcome, stored } = await judge({ segments: [segment(event(1, 'gold'))] })
    expect(outcome).toEqual(refusal('unknown_meter'))
    expect(stored.events).toBe(0)
  })

  it('an account of its own choice does not count', async () => {
    const accountOf = () => 'mine'
    const parts = { head: { accountTag: 'theirs' } }
    const { outcome, world } = await judge(parts, { accountOf })
    expect(outcome).toMatchObject({ ok: true })
    expect(await world.outbox.streams()).toMatchObject([{ accountTag: 'mine' }])
    await world.main.account('mine').flush()
    expect(world.relay.requests.map(({ token }) => token)).toEqual(['token-of-mine'])
  })

  it('bytes are counted here: what a page says of them hides nothing', async () => {
    const { world } = await judge({ head: { bytes: -1_000_000 } })
    expect((await world.outbox.totals()).bytes).toBe(event(1).length)
  })

  it('a page’s seal is not believed', async () => {
    const body = event(1)
    const { outcome, world } = await judge({ segments: [{ stream, first: 0, count: 1, bytes: 1, body, seal: 7 }] })
    expect(outcome).toMatchObject({ ok: true })
    const claim = await world.outbox.claim({ accountTag: '', maxBytes: 1e6, maxEvents: 10, nowMs: 0, leaseMs: 0 })
    expect(claim?.segments).toMatchObject([{ body }])
    expect(claim?.segments[0]?.seal).not.toBe(7)
  })

  it('the disk has an end: reject-new refuses, drop-oldest gives up the same account’s oldest', async () => {
    const fill = async (overflow: 'reject-new' | 'drop-oldest') => {
      const world = await electronWorld({ maxOutboxBytes: 2_000, overflow, accountOf: ({ id }) => `account-${id}` })
      world.relay.faults.push(...Array.from({ length: 1_000 }, () => 'offline' as const))
      const [victim, flood] = [await world.openPage(), await world.openPage()]
      await victim.agent.record(calls, { n: 7 }).durable
      const outcomes = []
      for (let n = 0; n < 200; n++) {
        const { durable } = flood.agent.record(calls, { n })
        outcomes.push(await durable.catch((error: { code: string }) => error.code))
      }
      await world.clock.advance(10_000)
      const tags = (await world.outbox.streams()).map(({ accountTag, recorded, dropped }) => ({
        accountTag,
        recorded,
        dropped,
      }))
      return { outcomes, bytes: (await world.outbox.totals()).bytes, tags }
    }
    const rejecting = await fill('reject-new')
    expect(rejecting.outcomes).toContain('outbox_full')
    expect(rejecting.bytes).toBeLessThanOrEqual(2_000)
    const dropping = await fill('drop-oldest')
    expect(dropping.outcomes).not.toContain('outbox_full')
    expect(dropping.bytes).toBeLessThanOrEqual(2_000)
    expect(dropping.tags).toContainEqual({ accountTag: 'account-1', recorded: 1, dropped: {} })
  })

  it('open windows count, too', async () => {
    const world = await electronWorld({ maxOutboxBytes: 2_000 })
    const window = world.electron.openWindow()
    await window.invoke(hello)
    const outcomes: unknown[] = []
    for (let serial = 0; serial < 100; serial++) {
      const rollups = [{ stream, seq: serial, accountTag: '', event: event(serial), closesAtMs: 9e12 }]
      const message = { ...append(group({ segments: [], rollups, head: { recorded: serial + 1 } })), serial }
      const answer = (await window.invoke(message)) as { value: { outcomes: unknown[] } }
      outcomes.push(...answer.value.outcomes)
    }
    expect(outcomes[0]).toMatchObject({ ok: true })
    expect(outcomes.at(-1)).toEqual(refusal('outbox_full'))
    const stored = await world.outbox.openRollups()
    expect(stored.length * event(0).length).toBeLessThanOrEqual(2_000)
    window.close()
    await settle()
    expect((await world.outbox.totals()).bytes).toBeLessThanOrEqual(2_100)
  })

  it('a session has no streams without end', async () => {
    const world = await electronWorld()
    const window = world.electron.openWindow()
    await window.invoke(hello)
    for (let serial = 0; serial < 50; serial++) {
      const head = { stream: streamOf(2_000 + serial), recorded: 0, refused: { invalid_data: 1 } }
      await window.invoke({ ...append(group({ segments: [], head })), serial })
    }
    expect((await world.outbox.streams()).length).toBeLessThan(5)
  })

  it('a page that makes no room by itself is stopped a little later', async () => {
    const world = await electronWorld({ maxOutboxBytes: 2_000, overflow: 'drop-oldest' })
    world.relay.faults.push(...Array.from({ length: 1_000 }, () => 'offline' as const))
    const window = world.electron.openWindow()
    await window.invoke(hello)
    for (let serial = 0; serial < 300; serial++) {
      const body = event(serial)
      const segments = [{ stream, first: serial, count: 1, bytes: 0, body }]
      const message = append(group({ segments, head: { recorded: serial + 1 } }))
      expect(await window.invoke({ ...message, serial })).toMatchObject({ ok: true })
      expect((await world.outbox.totals()).bytes).toBeLessThanOrEqual(2_500)
    }
    const [summary] = await world.outbox.streams()
    expect(summary?.dropped.outbox_full).toBeGreaterThan(200)
  })

  it('dead letters have an end, too', async () => {
    const world = await electronWorld({ limits: { maxDeadLetters: 3 } })
    world.relay.answer = (answer) => {
      const received = answer.received as Record<string, [number, number][]>
      const rejected = Object.entries(received).flatMap(([id, ranges]) =>
        ranges.flatMap(([from, to]) =>
          Array.from({ length: to - from + 1 }, (_, n) => ({ stream: id, seq: from + n, code: 'bad', detail: 'bad' })),
        ),
      )
      return { ...answer, rejected, received: {} }
    }
    const page = await world.openPage()
    await Promise.all([1, 2, 3, 4].map((n) => page.agent.record(calls, { n }).durable))
    await page.agent.flush()
    expect((await world.outbox.totals()).deadLetters).toBe(4)
    await world.clock.advance(10_000)
    expect(await failure(() => page.agent.record(calls, { n: 5 }).durable)).toMatchObject({ code: 'outbox_full' })
  })
})

describe('whose things are whose', () => {
  const accountOf = ({ id }: { id: number }) => `account-${id}`

  it('a page cannot write another’s stream, nor speak in its session', async () => {
    const world = await electronWorld({ accountOf })
    const [one, two] = [world.electron.openWindow(), world.electron.openWindow()]
    await one.invoke(hello)
    await one.invoke(append(group()))
    expect(await two.invoke(append(group()))).toEqual(refusal('not_allowed'))
    const own = { session: streamOf(902) }
    await two.invoke({ ...hello, ...own })
    const more = group({ segments: [{ stream, first: 1, count: 1, bytes: 1, body: event(2) }], head: { recorded: 2 } })
    const answer = await two.invoke({ ...append(more), ...own })
    expect(answer).toMatchObject({ ok: true, value: { outcomes: [refusal('not_allowed')] } })
    expect(await world.outbox.streams()).toMatchObject([{ accountTag: 'account-1', recorded: 1 }])
  })

  it('nor a stream of an earlier run', async () => {
    const before = await electronWorld()
    const first = before.electron.openWindow()
    await first.invoke(hello)
    await first.invoke(append(group()))
    const world = await electronWorld({}, before.outbox)
    const window = world.electron.openWindow()
    await window.invoke(hello)
    const answer = await window.invoke(append(group()))
    expect(answer).toMatchObject({ ok: true, value: { outcomes: [refusal('not_allowed')] } })
  })

  it('reads are within the account: streams, dead letters, counts', async () => {
    const world = await electronWorld({ accountOf })
    const [one, two] = [await world.openPage(), await world.openPage()]
    await one.agent.record(calls, { n: 1 }).durable
    await two.agent.record(calls, { n: 2 }).durable
    await two.agent.record(calls, { n: 3 }).durable
    expect((await one.agent.streams()).map(({ recorded, accountTag }) => [recorded, accountTag])).toEqual([[1, '']])
    expect(await one.invoke({ v: 1, session, kind: 'totals' })).toEqual(refusal('closed'))
    await one.agent.flush()
    expect(world.relay.requests.map(({ token }) => token)).toEqual(['token-of-account-1'])
  })

  it('purge and deletion are money: refused unless the main process allows them', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    world.relay.faults.push('offline', 'offline', 'offline')
    await page.agent.record(calls, { n: 1 }).durable
    expect(await failure(() => page.agent.purge())).toMatchObject({ code: 'not_allowed', detail: { right: 'purge' } })
    expect((await world.outbox.totals()).events).toBe(1)
    await world.main.close()

    const kind = await electronWorld({ pagesMay: { purge: true } })
    const other = await kind.openPage()
    await other.agent.record(calls, { n: 1 }).durable
    expect(await other.agent.purge()).toMatchObject({ events: 1 })
    expect((await kind.outbox.totals()).events).toBe(0)
  })

  it('a page’s pause ends with it', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    page.agent.pause('consent')
    await settle()
    await page.agent.record(calls, { n: 1 }).durable
    await world.clock.advance(60_000)
    expect(world.relay.ids).toEqual([])
    expect(world.main.stats().pausedBy).toEqual(['consent'])
    page.close()
    await world.clock.advance(60_000)
    expect(world.main.stats().pausedBy).toEqual([])
    expect(world.relay.ids).toHaveLength(1)
  })

  it('a page that accountOf refuses hears it, at every receipt', async () => {
    const refuse = () => {
      throw new Error('Nobody is signed in.')
    }
    const world = await electronWorld({ accountOf: refuse })
    const page = await world.openPage()
    const error = await failure(() => page.agent.record(calls, { n: 1 }).durable)
    expect(error).toMatchObject({ code: 'not_allowed' })
    expect(error.message).not.toContain('signed in')
  })
})

describe('a flood', () => {
  it('what has no answer yet is bounded, and refused without work; other windows go on', async () => {
    const world = await electronWorld()
    const [flood, page] = [world.electron.openWindow(), await world.openPage()]
    await flood.invoke(hello)
    const answers: Promise<unknown>[] = []
    for (let serial = 0; serial < 5_000; serial++) {
      const body = event(serial)
      const segments = [{ stream, first: serial, count: 1, bytes: body.length, body }]
      answers.push(flood.invoke({ ...append(group({ segments, head: { recorded: serial + 1 } })), serial }))
    }
    await expect(page.agent.record(calls, { n: 1 }).durable).resolves.toBeDefined()
    await world.clock.advance(60_000)
    const refused = (await Promise.all(answers)).filter((answer) => !(answer as { ok: boolean }).ok)
    // Two seconds' worth at once, and what was let in while it waited.
    expect(refused.length).toBeGreaterThan(3_000)
    expect(world.main.pages().refused.not_allowed).toBe(refused.length)
    await expect(page.agent.record(calls, { n: 2 }).durable).resolves.toBeDefined()
  })

  it('many agents of one window have an end', async () => {
    const world = await electronWorld()
    const window = world.electron.openWindow()
    const answers = []
    for (let n = 0; n < 70; n++) answers.push(await window.invoke({ ...hello, session: streamOf(1_000 + n) }))
    expect(answers.filter((answer) => (answer as { ok: boolean }).ok)).toHaveLength(64)
    // Nor does it help to let each of them go.
    const next = async (n: number) => {
      const session = { session: streamOf(1_100 + n) }
      const answer = (await window.invoke({ ...hello, ...session })) as { ok: boolean }
      await window.invoke({ v: 1, kind: 'close', ...session })
      return answer.ok
    }
    const more = []
    for (let n = 0; n < 100; n++) more.push(await next(n))
    expect(more.filter(Boolean).length).toBeLessThan(5)
  })

  it('asking to send does not cut a backoff short for ever', async () => {
    const world = await electronWorld()
    const page = await world.openPage()
    world.relay.faults.push(...Array.from({ length: 500 }, () => 'offline' as const))
    await page.agent.record(calls, { n: 1 }).durable
    const asking = (async () => {
      for (let n = 0; n < 200; n++) await page.agent.flush()
    })()
    for (let second = 0; second < 30; second++) await world.clock.advance(1_000)
    await asking
    expect(world.relay.requests.length).toBeLessThan(60)
  })
})
