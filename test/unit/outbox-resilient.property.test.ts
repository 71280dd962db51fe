import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Claim, Outbox, Settlement } from '../../src/outbox/contract.ts'
import { splitEvents } from '../../src/outbox/core/split-events.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { resilientOutbox } from '../../src/outbox/resilient/open.ts'
import { waitingByEquation } from '../contract/outbox-kit.ts'
import { type Fault, type FaultyOutbox, faultyOutbox } from '../support/faulty-outbox.ts'
import { eventText, streamId, UsageOwner } from '../support/usage-owner.ts'

type Verdict = 'received' | 'rejected' | 'deferred' | 'none'

const verdicts = fc.array(fc.constantFrom<Verdict>('received', 'received', 'rejected', 'deferred', 'none'), {
  minLength: 1,
  maxLength: 7,
})
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      owner: fc.nat(1),
      count: fc.nat(6),
      perSegment: fc.integer({ min: 1, max: 4 }),
      strict: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sum' as const), owner: fc.nat(1), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), owner: fc.nat(1), which: fc.nat() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      maxEvents: fc.integer({ min: 1, max: 9 }),
      leaseMs: fc.constantFrom(0, 50),
      verdicts,
      isLost: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const faults = fc.array(fc.constantFrom<Fault>('ok', 'ok', 'full', 'unavailable', 'doubt'), { maxLength: 60 })

/** Owners, and a relay that knows what it holds. It takes no number twice. */
class World {
  readonly owners = [new UsageOwner(streamId(1), 'acme'), new UsageOwner(streamId(2), 'acme')]
  readonly open = this.owners.map(() => new Set<number>())
  readonly held = new Map<string, string>()
  readonly appends: Promise<unknown>[] = []
  received = 0
  nowMs = 1_000_000
  readonly #outbox: Outbox

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  async step(step: Step): Promise<void> {
    if (step.do === 'append') {
      const texts = Array.from({ length: step.count }, (_, index) => eventText(`${this.nowMs++}-${index}`))
      const { perSegment, strict } = step
      this.appends.push(this.#outbox.append(this.#owner(step.owner).group(texts, { perSegment, strict })))
    } else if (step.do === 'sum') this.#sum(step.owner, step.which)
    else if (step.do === 'close') this.#close(step.owner, step.which)
    else if (step.do === 'deliver') await this.deliver(step).catch(expectUnavailable)
    else if (step.do === 'retry') await this.#retry().catch(expectUnavailable)
    else if (step.do === 'look') await this.#outbox.totals().catch(expectUnavailable)
    else this.nowMs += 40
  }

  /** One turn of delivery. An answer that got lost leaves the relay with events that the outbox still has. */
  async deliver(turn: {
    maxEvents: number
    leaseMs: number
    verdicts: readonly Verdict[]
    isLost: boolean
  }): Promise<boolean> {
    const { maxEvents, leaseMs } = turn
    const claim = await this.#outbox.claim({ accountTag: 'acme', maxBytes: 1e9, maxEvents, nowMs: this.nowMs, leaseMs })
    if (!claim) return false
    const settlement = this.#answer(claim, turn.verdicts)
    if (turn.isLost) await this.#outbox.release(claim)
    else this.received += (await this.#outbox.settle(settlement)).received
    return true
  }

  #answer(claim: Claim, verdicts: readonly Verdict[]): Settlement {
    const settlement = {
      claim,
      received: {} as Record<string, [number, number][]>,
      rejected: [] as { stream: string; seq: number; code: string; detail: string }[],
      deferred: [] as { stream: string; from: number; to: number; delayMs: number }[],
      nowMs: this.nowMs,
    }
    let turn = 0
    for (const { stream, first, body } of claim.segments) {
      splitEvents(body).forEach((text, index) => {
        const seq = first + index
        const id = `${stream}-${seq}`
        const known = this.held.get(id)
        // The same number never comes with another text, however often it comes.
        if (known !== undefined) expect(text).toBe(known)
        const said = known === undefined ? verdicts[turn++ % verdicts.length] : 'received'
        if (said === 'received') {
          this.held.set(id, text)
          settlement.received[stream] = [...(settlement.received[stream] ?? []), [seq, seq]]
        }
        if (said === 'rejected') settlement.rejected.push({ stream, seq, code: 'invalid_data', detail: 'No.' })
        if (said === 'deferred') settlement.deferred.push({ stream, from: seq, to: seq, delayMs: 30 })
      })
    }
    return settlement
  }

  async #retry(): Promise<void> {
    await this.#outbox.retryDeadLetters(await this.#outbox.deadLetters())
  }

  #sum(index: number, which: number): void {
    const open = [...(this.open[index] ?? [])]
    const seq = open[which % (open.length + 1)]
    const group = this.#owner(index).rollup(eventText(`sum ${this.nowMs++}`), this.nowMs, seq)
    this.open[index]?.add(group.rollups?.[0]?.seq ?? -1)
    this.appends.push(this.#outbox.append(group))
  }

  #close(index: number, which: number): void {
    const open = [...(this.open[index] ?? [])]
    const seq = open[which % open.length]
    if (seq === undefined) return
    this.open[index]?.delete(seq)
    this.appends.push(this.#outbox.append(this.#owner(index).close(seq, eventText(`closed ${this.nowMs++}`))))
  }

  #owner(index: number): UsageOwner {
    return this.owners[index] as UsageOwner
  }
}

function expectUnavailable(error: unknown): void {
  expect((error as { code?: string }).code).toMatch(/^outbox_(unavailable|full)$/)
}

async function drain(world: World, primary: FaultyOutbox, outbox: Outbox): Promise<void> {
  primary.plan = () => 'ok'
  await Promise.all(world.appends)
  await outbox.closeRollups({ streams: world.owners.map(({ stream }) => stream) })
  world.nowMs += 1_000_000
  const turn = { maxEvents: 1_000, leaseMs: 0, verdicts: ['received' as const], isLost: false }
  for (let rounds = 0; rounds < 200; rounds++) if (!(await world.deliver(turn))) return
  throw new Error('the outbox does not come to rest')
}

/** Of all streams, as told in the middle of a spell, too. */
async function settledOf(outbox: Outbox): Promise<number> {
  return (await outbox.streams()).reduce((sum, { settled }) => sum + settled, 0)
}

function textsOf(world: World): string[] {
  return world.owners.flatMap(({ stream, texts }) => texts.map((text, seq) => `${stream}-${seq} ${text}`)).sort()
}

test('whenever and however the primary fails: nothing is lost, doubled or miscounted', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), faults, async (steps, plan) => {
    const real = createMemoryOutbox({ random: () => 'device' })
    const primary = faultyOutbox(real)
    const planned = [...plan]
    primary.plan = () => planned.shift() ?? 'ok'
    let spells = 0
    const outbox = resilientOutbox({ primary, onDegraded: () => spells++, onRecovered: () => spells-- })
    const world = new World(outbox)
    for (const each of steps) {
      await world.step(each)
      expect(spells === 0 || spells === 1).toBe(true)
    }
    await drain(world, primary, outbox)
    expect(spells).toBe(0)
    // Everything is with the relay or a dead letter, once; and the primary, which alone outlives the page, agrees.
    const letters = await real.deadLetters()
    const delivered = [...world.held].map(([id, text]) => `${id} ${text}`)
    const buried = letters
      .filter(({ stream, seq }) => !world.held.has(`${stream}-${seq}`))
      .map(({ stream, seq, event }) => `${stream}-${seq} ${event}`)
    expect([...delivered, ...buried].sort()).toEqual(textsOf(world))
    expect(await waitingByEquation(real)).toBe(0)
    expect((await real.totals()).events).toBe(0)
    expect(await real.openRollups()).toEqual([])
    expect(await outbox.streams()).toEqual(await real.streams())
    expect(await outbox.deadLetters()).toEqual(letters)
    const recorded = world.owners.reduce((sum, { texts }) => sum + texts.length, 0)
    const summaries = await real.streams()
    expect(summaries.reduce((sum, each) => sum + each.recorded, 0)).toBe(recorded)
    await outbox.close()
  })
  await fc.assert(property, { numRuns: 1_000 })
})

test('without a fault every number is counted as received once', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
    const primary = faultyOutbox(createMemoryOutbox({ random: () => 'device' }))
    const outbox = resilientOutbox({ primary, onDegraded: () => {}, onRecovered: () => {} })
    const world = new World(outbox)
    for (const each of steps) await world.step(each)
    await drain(world, primary, outbox)
    expect(world.received).toBe(world.held.size)
  })
  await fc.assert(property, { numRuns: 200 })
})

test('with faults other than doubt, too', async () => {
  const sure = fc.array(fc.constantFrom<Fault>('ok', 'ok', 'full', 'unavailable'), { maxLength: 60 })
  const property = fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), sure, async (steps, plan) => {
    const primary = faultyOutbox(createMemoryOutbox({ random: () => 'device' }))
    const planned = [...plan]
    primary.plan = (method) => (method === 'streams' ? 'ok' : (planned.shift() ?? 'ok'))
    const outbox = resilientOutbox({ primary, onDegraded: () => {}, onRecovered: () => {} })
    const world = new World(outbox)
    for (const each of steps) {
      await world.step(each)
      // Looking waits for what was appended, and appends are to overlap.
      if (['deliver', 'retry'].includes(each.do)) expect(await settledOf(outbox)).toBe(world.received)
    }
    await drain(world, primary, outbox)
    expect(world.received).toBe(world.held.size)
    // What died was not sent again behind the operator's back: the relay holds none of it.
    const letters = await outbox.deadLetters()
    expect(letters.filter(({ stream, seq }) => world.held.has(`${stream}-${seq}`))).toEqual([])
  })
  await fc.assert(property, { numRuns: 500 })
})
