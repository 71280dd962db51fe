import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Claim, Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { type Range, type WireAnswer, wireAnswer } from '../../src/wire/contract.ts'
import { encodeBatch } from '../../src/wire/encode-batch.ts'
import { covers } from '../../src/wire/ranges.ts'
import { NOW_MS, OTHER_STREAM, openTestRelay, STREAM, type TestRelay } from '../support/relay-fixture.ts'

const RUNS = process.env.METERTAP_LONG === undefined ? 40 : 1_000
const STREAMS = [STREAM, OTHER_STREAM] as const
const LIMITS = { accountPerMinute: 1e7, devicePerMinute: 1e7, tenantPerMinute: 1e7 }

/** What an agent and the network between it and the relay can do. */
type Step =
  | { readonly kind: 'record'; readonly stream: 0 | 1; readonly goods: readonly boolean[] }
  /** The batch is sent and its answer settled. */
  | { readonly kind: 'deliver'; readonly maxEvents: number }
  /** The relay took the batch, and the answer was lost. */
  | { readonly kind: 'lose-answer'; readonly maxEvents: number }
  /** The batch itself was lost. */
  | { readonly kind: 'lose-batch'; readonly maxEvents: number }
  /** An earlier batch arrives again, from a slow network or another tab. */
  | { readonly kind: 'echo'; readonly index: number }
  /** An answer that was thought lost arrives after all, while its events may have been claimed again. */
  | { readonly kind: 'late-answer'; readonly index: number }
  /** The relay is killed between two batches and starts anew on its file. */
  | { readonly kind: 'restart' }

/** Agent's outbox, relay and network, and what is true of them. */
class World {
  relay: TestRelay
  token: string
  readonly outbox: Outbox = createMemoryOutbox({ random: () => 'device' })
  /** For each stream and number: whether its event is one that the schema takes. */
  readonly recorded: boolean[][] = [[], []]
  readonly sent: string[] = []
  readonly unsettled: { claim: Claim; answer: WireAnswer }[] = []

  constructor(relay: TestRelay, token: string) {
    this.relay = relay
    this.token = token
  }

  async record(index: 0 | 1, goods: readonly boolean[]): Promise<void> {
    const numbers = this.recorded[index] as boolean[]
    const stream = STREAMS[index]
    const first = numbers.length
    numbers.push(...goods)
    const body = goods
      .map((isGood, offset) => JSON.stringify(['calls', NOW_MS, { quantity: isGood ? first + offset + 1 : 0 }]))
      .join()
    const head = { stream, accountTag: '', openedAtMs: NOW_MS + index, recorded: numbers.length, bytes: 0, refused: {} }
    const segment = { stream, first, count: goods.length, bytes: body.length, body }
    await this.outbox.append({ head, segments: [segment], strict: false })
  }

  claim(maxEvents: number): Promise<Claim | undefined> {
    return this.outbox.claim({ accountTag: '', maxBytes: 100_000, maxEvents, nowMs: NOW_MS, leaseMs: 0 })
  }

  async post(text: string): Promise<WireAnswer> {
    this.sent.push(text)
    const headers = { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' }
    const response = await this.relay.request('/v1/events', { method: 'POST', headers, body: text })
    expect(response.status).toBe(200)
    const answer = wireAnswer.parse(await response.json())
    for (const index of [0, 1] as const) {
      const received = answer.received[STREAMS[index]]
      if (received !== undefined) expect(received, 'what is answered is what is held').toEqual(await this.held(index))
    }
    return answer
  }

  async settle(claim: Claim, { received, rejected, retry }: WireAnswer): Promise<void> {
    await this.outbox.settle({ claim, received, rejected, deferred: retry, nowMs: NOW_MS })
  }

  async play(step: Step): Promise<void> {
    if (step.kind === 'record') return await this.record(step.stream, step.goods)
    if (step.kind === 'restart') return await this.restart()
    if (step.kind === 'echo') {
      const text = this.sent[step.index % Math.max(1, this.sent.length)]
      if (text !== undefined) await this.post(text)
      return
    }
    if (step.kind === 'late-answer') {
      const late = this.unsettled[step.index % Math.max(1, this.unsettled.length)]
      if (late !== undefined) await this.settle(late.claim, late.answer)
      return
    }
    const claim = await this.claim(step.maxEvents)
    if (claim === undefined) return
    const { reports, segments } = claim
    const text = encodeBatch({ sentAtMs: NOW_MS, device: 'device', reports, segments })
    if (step.kind === 'lose-batch') return await this.outbox.release(claim)
    const answer = await this.post(text)
    if (step.kind === 'deliver') return await this.settle(claim, answer)
    this.unsettled.push({ claim, answer })
    await this.outbox.release(claim)
  }

  async restart(): Promise<void> {
    const sqlite = `${this.relay.folder}/relay.db`
    const next = await openTestRelay({ store: { sqlite }, limits: LIMITS })
    // Its folder holds the database, so the first relay is closed at the end.
    this.closers.push(() => next.relay.stop())
    this.relay = { ...next, folder: this.relay.folder }
  }

  readonly closers: (() => Promise<void>)[] = []

  /** What the relay holds of a stream. */
  async held(index: 0 | 1): Promise<readonly Range[]> {
    const owner = { tenant: 'default', account: 'acme', device: 'laptop', receivedAtMs: NOW_MS }
    const streams = [{ id: STREAMS[index], recorded: 0, dropped: {} }]
    const { received } = await this.relay.relay.store.accept({ ...owner, streams, events: [], refused: [] })
    return received[STREAMS[index]] ?? []
  }

  /** Whatever has left the outbox is held by the relay, or in the agent's dead letters; nothing good is ever refused. */
  async check(): Promise<void> {
    const dead = await this.outbox.deadLetters()
    for (const index of [0, 1] as const) {
      const numbers = this.recorded[index] as boolean[]
      if (numbers.length === 0) continue
      const held = await this.held(index)
      const buried = new Set(dead.filter(({ stream }) => stream === STREAMS[index]).map(({ seq }) => seq))
      const summary = (await this.outbox.streams()).find(({ stream }) => stream === STREAMS[index])
      const heldNumbers = numbers.filter((_, seq) => covers(held, seq)).length
      expect(summary?.settled ?? 0, 'the agent thinks no more settled than is held').toBeLessThanOrEqual(heldNumbers)
      for (const [seq, isGood] of numbers.entries()) {
        if (isGood) expect(buried.has(seq), 'a good event is never buried').toBe(false)
        else expect(covers(held, seq), 'a bad event is never held').toBe(false)
      }
    }
  }

  /** Delivers all that is left, on a network that works. */
  async drain(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) {
      const { events } = await this.outbox.totals()
      if (events === 0) return
      await this.play({ kind: 'deliver', maxEvents: 7 })
    }
    throw new Error('The outbox does not empty.')
  }

  /** Ids of everything that would go upstream. */
  async forwarded(): Promise<string[]> {
    const ids: string[] = []
    const { store } = this.relay.relay
    for (;;) {
      const claim = { lane: 'calls', owner: 'fuzz', leaseMs: 1, nowMs: NOW_MS, maxEvents: 100 }
      const delivery = await store.openDelivery(claim, (events) => {
        ids.push(...events.map(({ stream, seq, data }) => `${stream}-${seq}-${data}`))
        return { taken: events.length, body: new Uint8Array([0]), rows: events.length, bytes: 1, unmappable: [] }
      })
      if (delivery === undefined) return ids
      await store.acceptDelivery(delivery.id, NOW_MS)
    }
  }
}

const maxEvents = fc.integer({ min: 1, max: 8 })
const index = fc.nat(50)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('record' as const),
    stream: fc.constantFrom(0 as const, 1 as const),
    goods: fc.array(
      fc.nat(4).map((n) => n > 0),
      { minLength: 1, maxLength: 6 },
    ),
  }),
  fc.record({ kind: fc.constant('deliver' as const), maxEvents }),
  fc.record({ kind: fc.constant('lose-answer' as const), maxEvents }),
  fc.record({ kind: fc.constant('lose-batch' as const), maxEvents }),
  fc.record({ kind: fc.constant('echo' as const), index }),
  fc.record({ kind: fc.constant('late-answer' as const), index }),
  fc.record({ kind: fc.constant('restart' as const) }),
)

test('agent and relay agree on every prefix, whatever is lost, late or doubled', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const relay = await openTestRelay({ limits: LIMITS })
      const world = new World(relay, await relay.token())
      try {
        await world.record(0, [true, false, true])
        for (const one of steps) {
          await world.play(one)
          await world.check()
        }
        await world.drain()
        await world.check()
        await expectEachOnce(world)
      } finally {
        for (const close of world.closers) await close()
        await relay.close()
      }
    }),
    { numRuns: RUNS },
  )
})

async function expectEachOnce(world: World): Promise<void> {
  const good: string[] = []
  const bad: string[] = []
  for (const [at, numbers] of world.recorded.entries()) {
    for (const [seq, isGood] of numbers.entries()) {
      if (isGood) good.push(`${STREAMS[at]}-${seq}-{"quantity":${seq + 1}}`)
      else bad.push(`${STREAMS[at]}-${seq}`)
    }
  }
  const dead = (await world.outbox.deadLetters()).map(({ stream, seq }) => `${stream}-${seq}`)
  expect(dead.toSorted()).toEqual(bad.toSorted())
  expect((await world.forwarded()).toSorted(), 'each good event once, none twice').toEqual(good.toSorted())
  const { recorded, received, rejected, missing } = await world.relay.relay.store.totals()
  expect({ recorded, received, rejected, missing }).toEqual({
    ...{ recorded: good.length + bad.length, received: good.length, rejected: bad.length, missing: 0 },
  })
  for (const { event } of await world.outbox.deadLetters()) expect(JSON.parse(event)[2]).toEqual({ quantity: 0 })
}
