import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBackoff } from '../../src/schedule/backoff.ts'
import { createPauses } from '../../src/schedule/pauses.ts'

describe('backoff', () => {
  const highest = (options = {}) => createBackoff({ random: () => 1 - 2 ** -53, ...options })

  test('doubles its ceiling up to the cap', () => {
    const backoff = highest({ baseMs: 1_000, capMs: 10_000 })
    expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
  })

  test('has 1 s and 60 s as defaults, and never overflows', () => {
    const backoff = highest()
    expect(backoff.next()).toBe(1_000)
    for (let i = 0; i < 2_000; i++) expect(backoff.next()).toBeLessThanOrEqual(60_000)
    expect(backoff.next()).toBe(60_000)
  })

  test('starts anew after reset()', () => {
    const backoff = highest()
    backoff.next()
    backoff.next()
    backoff.reset()
    expect(backoff.next()).toBe(1_000)
  })

  test('uses the whole width: full jitter', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(20), (random, failures) => {
        const backoff = createBackoff({ random: () => random })
        for (let i = 0; i < failures; i++) backoff.next()
        expect(backoff.next()).toBe(Math.round(random * Math.min(60_000, 1_000 * 2 ** failures)))
      }),
    )
  })

  test('adds its jitter to a Retry-After: never earlier than asked, and not everyone at once', () => {
    const at = (random: number) => createBackoff({ random: () => random }).next(30_000)
    expect(at(0)).toBe(30_000)
    expect(at(0.5)).toBe(30_500)
  })
})

describe('pauses', () => {
  test('stand until each is taken back by name, and only real changes are told', () => {
    const told: (readonly string[])[] = []
    const pauses = createPauses((reasons) => told.push(reasons))
    pauses.add('consent')
    pauses.add('consent')
    pauses.add('offline')
    pauses.remove('hold')
    pauses.remove('consent')
    expect(pauses.reasons).toEqual(['offline'])
    expect(pauses.has('consent')).toBe(false)
    expect(pauses.has('offline')).toBe(true)
    pauses.remove('offline')
    expect(told).toEqual([['consent'], ['consent', 'offline'], ['offline'], []])
  })
})
