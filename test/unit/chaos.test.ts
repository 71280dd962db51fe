import { describe, expect, test } from 'vitest'
import type { StreamRow } from '../chaos/contract.ts'
import { judge } from '../chaos/judge.ts'
import { planStrikes } from '../chaos/plan.ts'
import { seededRandom } from '../chaos/random.ts'

const ACTORS = [
  { name: 'relay', strikes: ['killed'] },
  { name: 'network', strikes: ['down', 'slow'] },
  { name: 'calm', strikes: [] },
]

const plan = (seed: number) => planStrikes({ durationMs: 60_000, actors: ACTORS, random: seededRandom(seed) })

describe('planStrikes', () => {
  test('gives the same strikes for the same seed, and others for another', () => {
    expect(plan(7)).toEqual(plan(7))
    expect(plan(7)).not.toEqual(plan(8))
  })

  test('strikes within the time, in order, and only those that can be struck', () => {
    const strikes = plan(7)
    expect(strikes.length).toBeGreaterThan(10)
    const times = strikes.map(({ atMs }) => atMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times.every((atMs) => atMs > 0 && atMs < 60_000)).toBe(true)
    expect(new Set(strikes.map(({ actor }) => actor))).toEqual(new Set(['relay', 'network']))
  })
})

const row = (changes: Partial<StreamRow> = {}): StreamRow => ({
  ...{ stream: 's', account: 'acme', recorded: 3, received: 2, declared: {}, rejected: 0, forwarded: 2 },
  ...{ dead: 0, discarded: 0, deduplicated: 0, held: 0, missing: 1 },
  ...changes,
})

const none = new Set<string>()
const evidence = {
  ...{ promised: ['s-0', 's-1'], buried: none, refused: none, ledger: [row()], upstream: ['s-0', 's-1'] },
}

describe('judge', () => {
  test('is content when every promised event is billed once and the books balance', () => {
    const verdict = judge(evidence)
    expect(verdict).toMatchObject({ ok: true, problems: [] })
    expect(verdict.figures).toMatchObject({ promised: 2, upstream: 2, missing: 1, promisedLost: 0, doubled: 0 })
  })

  test('a promised event that did not arrive is lost, unless its agent keeps it as a dead letter', () => {
    const lost = { ...evidence, promised: ['s-0', 's-1', 's-2'] }
    expect(judge(lost)).toMatchObject({ ok: false, problems: ['s-2 was durable and has not arrived.'] })
    expect(judge({ ...lost, buried: new Set(['s-2']) }).ok).toBe(true)
  })

  test('an event that the relay keeps as refused is not lost, whether the upstream stored it or not', () => {
    const ledger = [row({ forwarded: 1, dead: 1 })]
    for (const upstream of [['s-0'], ['s-0', 's-1']]) {
      expect(judge({ ...evidence, ledger, refused: new Set(['s-1']), upstream }).problems).toEqual([])
    }
  })

  test('an event that is billed twice', () => {
    const { ok, problems, figures } = judge({ ...evidence, upstream: ['s-0', 's-1', 's-1'] })
    expect({ ok, problems, doubled: figures.doubled }).toEqual({
      ...{ ok: false, problems: ['s-1 would be billed 2 times.'], doubled: 1 },
    })
  })

  test.each([
    [{ missing: 0 }, 's: recorded = received + declared + rejected + missing (3 ≠ 2).'],
    [{ forwarded: 1, dead: 1 }, 's: forwarded = billed upstream (1 ≠ 2).'],
    [{ held: 1 }, 's: received = forwarded + dead + discarded + deduplicated + held (2 ≠ 3).'],
  ])('a stream whose books do not balance: %j', (changes, problem) => {
    expect(judge({ ...evidence, ledger: [row(changes)] }).problems).toEqual([problem])
  })

  test('a billed stream that the relay does not know', () => {
    const { problems } = judge({ ...evidence, upstream: [...evidence.upstream, 't-0'] })
    expect(problems).toEqual(['t is billed, and the relay does not know it.'])
  })
})
