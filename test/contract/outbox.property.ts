import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Claim, Outbox, Settlement } from '../../src/outbox/contract.ts'
import { splitEvents } from '../../src/outbox/core/split-events.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

type Fate = 'waiting' | 'settled' | 'dead' | 'dropped'
type Verdict = 'received' | 'rejected' | 'deferred' | 'none'

const event = fc.tuple(fc.constant('m'), fc.nat(), fc.jsonValue({ maxDepth: 2 })).map((parts) => JSON.stringify(parts))
const verdict = fc.constantFrom<Verdict>('received', 'received', 'rejected', 'deferred', 'none')
const tag = fc.constantFrom('acme', 'globex')

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      owner: fc.nat(2),
      texts: fc.array(event, { maxLength: 8 }),
      perSegment: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      tag,
      maxEvents: fc.integer({ min: 1, max: 12 }),
      leaseMs: fc.constantFrom(0, 50),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(),
      verdicts: fc.array(verdict, { minLength: 1, maxLength: 7 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('settle again' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), owner: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('drop' as const), owner: fc.nat(2), count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 80 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('retry' as const), which: fc.array(fc.nat(), { maxLength: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('make room' as const), tag, bytes: fc.integer({ min: 0, max: 200 }) }),
  },
  fc.record({ do: fc.constant('purge' as const), tag }),
)
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

/** What must be true of the outbox, kept in the simplest way: the fate of every number. */
class Model {
  readonly owners = [
    new UsageOwner(streamId(1), 'acme'),
    new UsageOwner(streamId(2), 'globex'),
    new UsageOwner(streamId(3), 'acme'),
  ]
  readonly fates = new Map<string, Fate[]>(this.owners.map(({ stream }) => [stream, []]))
  nowMs = 1_000_000
  readonly #outbox: Outbox
  readonly #claims: Claim[] = []
  readonly #settlements: Settlement[] = []

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  async step(step: Action): Promise<void> {
    switch (step.do) {
      case 'append':
        this.#fates(step.owner).push(...step.texts.map(() => 'waiting' as const))
        await this.#outbox.append(this.#owner(step.owner).group(step.texts, { perSegment: step.perSegment }))
        return
      case 'refuse':
        await this.#outbox.append(this.#owner(step.owner).refuse('not_json'))
        return
      case 'drop':
        this.#fates(step.owner).push(...Array<Fate>(step.count).fill('dropped'))
        await this.#outbox.append(this.#owner(step.owner).drop('outbox_full', step.count))
        return
      case 'claim':
        return this.#claim(step.tag, step.maxEvents, step.leaseMs)
      case 'settle': {
        const claim = this.#claims[step.which % this.#claims.length]
        if (claim) await this.#settle(settlementOf(claim, step.verdicts, this.nowMs))
        return
      }
      case 'settle again': {
        const settlement = this.#settlements[step.which % this.#settlements.length]
        if (settlement) await this.#settle(settlement)
        return
      }
      case 'release': {
        const claim = this.#claims[step.which % this.#claims.length]
        if (claim) await this.#outbox.release(claim)
        return
      }
      case 'wait':
        this.nowMs += step.ms
        return
      case 'retry':
        return this.#retry(step.which)
      case 'make room':
        return this.#makeRoom(step.tag, step.bytes)
      case 'purge': {
        const dropped = this.#change(step.tag, 'waiting', 'dropped')
        expect(await this.#outbox.purge({ reason: 'consent', accountTag: step.tag })).toBe(dropped)
      }
    }
  }

  /** recorded = settled + dropped + dead + waiting, in every stream, and the numbers are the model's. */
  async check(): Promise<void> {
    const summaries = new Map((await this.#outbox.streams()).map((each) => [each.stream, each]))
    for (const { stream } of this.owners) {
      const fates = this.fates.get(stream) ?? []
      const known = summaries.get(stream)
      const dropped = Object.values(known?.dropped ?? {}).reduce((total, count) => total + count, 0)
      const found = { recorded: known?.recorded ?? 0, settled: known?.settled ?? 0, dead: known?.dead ?? 0, dropped }
      expect(found).toEqual({
        recorded: fates.length,
        settled: fates.filter((fate) => fate === 'settled').length,
        dead: fates.filter((fate) => fate === 'dead').length,
        dropped: fates.filter((fate) => fate === 'dropped').length,
      })
    }
    const all = [...this.fates.values()].flat()
    const totals = await this.#outbox.totals()
    expect(totals.events).toBe(all.filter((fate) => fate === 'waiting').length)
    expect(totals.deadLetters).toBe(all.filter((fate) => fate === 'dead').length)
    expect(totals.bytes).toBeGreaterThanOrEqual(0)
  }

  /** Every waiting event is there, once, with its text; every dead one is a dead letter; nothing else is. */
  async checkTexts(): Promise<void> {
    const found: string[] = []
    for (const accountTag of ['acme', 'globex']) {
      const claim = await this.#outbox.claim({ accountTag, maxBytes: 1e9, maxEvents: 1e9, nowMs: 1e12, leaseMs: 0 })
      for (const { stream, first, body } of claim?.segments ?? []) {
        found.push(...splitEvents(body).map((text, index) => `${stream}-${first + index} ${text}`))
      }
    }
    expect(found.sort()).toEqual(this.#texts('waiting'))
    const letters = await this.#outbox.deadLetters()
    expect(letters.map(({ stream, seq, event }) => `${stream}-${seq} ${event}`).sort()).toEqual(this.#texts('dead'))
  }

  async #claim(accountTag: string, maxEvents: number, leaseMs: number): Promise<void> {
    const claim = await this.#outbox.claim({ accountTag, maxBytes: 1e9, maxEvents, nowMs: this.nowMs, leaseMs })
    if (!claim) return
    this.#claims.push(claim)
    for (const { stream, first, count, body } of claim.segments) {
      const owner = this.owners.find((each) => each.stream === stream)
      expect(owner?.accountTag).toBe(accountTag)
      expect(splitEvents(body)).toEqual(owner?.texts.slice(first, first + count))
    }
  }

  async #settle(settlement: Settlement): Promise<void> {
    const before = this.#count('settled')
    // A relay may take, from a second claim, what it refused in the first.
    for (const { stream, from, to } of rangesOf(settlement)) this.#mark(stream, from, to, 'settled', 'dead')
    const deadBefore = this.#count('dead')
    for (const { stream, seq } of settlement.rejected) this.#mark(stream, seq, seq, 'dead')
    this.#settlements.push(settlement)
    const next = { accountTag: 'acme', maxBytes: 1e9, maxEvents: 3, nowMs: this.nowMs }
    const { totals, next: ahead, ...settled } = await this.#outbox.settle({ ...settlement, counted: true, next })
    if (totals) expect(totals).toEqual(await this.#outbox.totals())
    if (ahead) expect(ahead).toEqual(await this.#outbox.claim({ ...next, leaseMs: 0 }))
    expect(settled.received).toBe(this.#count('settled') - before)
    expect(settled.dead).toHaveLength(this.#count('dead') - deadBefore)
  }

  async #retry(which: readonly number[]): Promise<void> {
    const letters = await this.#outbox.deadLetters()
    const chosen = new Set(which.flatMap((nth) => letters[nth % letters.length] ?? []))
    for (const { stream, seq } of chosen) (this.fates.get(stream) as Fate[])[seq] = 'waiting'
    expect(await this.#outbox.retryDeadLetters([...chosen])).toBe(chosen.size)
  }

  /** What goes is what a claim would give first, until it is enough. */
  async #makeRoom(accountTag: string, bytes: number): Promise<void> {
    const { nowMs } = this
    const claim = await this.#outbox.claim({ accountTag, maxBytes: 1e9, maxEvents: 1e9, nowMs, leaseMs: 0 })
    const before = this.#count('dropped')
    let freed = 0
    for (const segment of claim?.segments ?? []) {
      if (freed >= bytes) break
      freed += segment.bytes
      this.#mark(segment.stream, segment.first, segment.first + segment.count - 1, 'dropped')
    }
    const dropped = await this.#outbox.dropOldest({ accountTag, bytes, reason: 'budget', nowMs })
    expect(dropped).toBe(this.#count('dropped') - before)
  }

  #mark(stream: string, from: number, to: number, fate: Fate, ...also: Fate[]): void {
    const fates = this.fates.get(stream) ?? []
    for (let seq = from; seq <= to; seq++) if (['waiting', ...also].includes(fates[seq] ?? fate)) fates[seq] = fate
  }

  #change(accountTag: string, from: Fate, to: Fate): number {
    let changed = 0
    for (const owner of this.owners.filter((each) => each.accountTag === accountTag)) {
      const fates = this.fates.get(owner.stream) ?? []
      fates.forEach((fate, seq) => {
        if (fate !== from) return
        fates[seq] = to
        changed++
      })
    }
    return changed
  }

  #texts(fate: Fate): string[] {
    return this.owners
      .flatMap(({ stream, texts }) =>
        texts.flatMap((text, seq) => (this.fates.get(stream)?.[seq] === fate ? [`${stream}-${seq} ${text}`] : [])),
      )
      .sort()
  }

  #count(fate: Fate): number {
    return [...this.fates.values()].flat().filter((each) => each === fate).length
  }

  #owner(index: number): UsageOwner {
    return this.owners[index] as UsageOwner
  }

  #fates(index: number): Fate[] {
    return this.fates.get(this.#owner(index).stream) as Fate[]
  }
}

/** Gives the claim's events the verdicts in turn. */
function settlementOf(claim: Claim, verdicts: readonly Verdict[], nowMs: number): Settlement {
  const received: Record<string, [number, number][]> = {}
  const rejected: { stream: string; seq: number; code: string; detail: string }[] = []
  const deferred: { stream: string; from: number; to: number; delayMs: number }[] = []
  let turn = 0
  for (const { stream, first, count } of claim.segments) {
    for (let seq = first; seq < first + count; seq++) {
      const said = verdicts[turn++ % verdicts.length]
      if (said === 'received') received[stream] = [...(received[stream] ?? []), [seq, seq]]
      if (said === 'rejected') rejected.push({ stream, seq, code: 'invalid_data', detail: 'No.' })
      if (said === 'deferred') deferred.push({ stream, from: seq, to: seq, delayMs: 30 })
    }
  }
  return { claim, received, rejected, deferred, nowMs }
}

function rangesOf({ received }: Settlement): { stream: string; from: number; to: number }[] {
  return Object.entries(received).flatMap(([stream, ranges]) => ranges.map(([from, to]) => ({ stream, from, to })))
}

/** The contract's property: whatever happens in whatever order, nothing is lost, doubled, mixed or miscounted. */
export function outboxProperty(open: () => Promise<{ outbox: Outbox }>, numRuns: number): void {
  test('no order of calls loses, doubles or miscounts an event', async () => {
    const property = fc.asyncProperty(fc.array(action, { maxLength: 40, size: 'max' }), async (steps) => {
      const { outbox } = await open()
      try {
        const model = new Model(outbox)
        for (const step of steps) {
          await model.step(step)
          await model.check()
        }
        await model.checkTexts()
      } finally {
        await outbox.close()
      }
    })
    await fc.assert(property, { numRuns })
  })
}
