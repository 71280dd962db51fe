import { describe, expect, test } from 'vitest'
import { createClockEvidence } from '../../src/agent/clock-evidence.ts'
import { Poison } from '../../src/agent/poison.ts'
import type { Claim } from '../../src/outbox/contract.ts'

describe('clock evidence', () => {
  test('says nothing before the first answer, then the offset within half the round trip', () => {
    const clock = { wallMs: 1_000_000, steadyMs: 50.4 }
    const evidence = createClockEvidence({ now: () => clock.wallMs, monotonic: () => clock.steadyMs })
    const answered = evidence.begin()
    expect(evidence.current).toBeUndefined()
    clock.steadyMs += 201
    // The wall clock jumps during the request: the round trip is not measured by it.
    clock.wallMs += 3_600_000
    answered(9_000_000)
    expect(evidence.current).toEqual({
      offsetMs: Math.round(9_000_100.5 - 4_600_000),
      uncertaintyMs: 101,
      monotonicMs: 251,
    })
    clock.steadyMs += 1_000
    expect(evidence.current?.monotonicMs).toBe(1_251)
  })
})

describe('poison', () => {
  const claim = (first: number, count: number): Claim => ({
    segments: [{ stream: 's', first, count, bytes: 1, body: '' }],
    reports: [],
    more: false,
  })

  test('halves down to one event, and only suspects that', () => {
    const poison = new Poison()
    expect(poison.maxEvents).toBe(Number.POSITIVE_INFINITY)
    expect([poison.refused(claim(0, 5)), poison.maxEvents]).toEqual(['halve', 2])
    expect([poison.refused(claim(0, 2)), poison.maxEvents]).toEqual(['halve', 1])
    expect(poison.refused(claim(0, 1))).toBe('suspect')
  })

  test('whoever is suspected when another is accepted gets a second chance, and only one', () => {
    const poison = new Poison()
    poison.refused(claim(0, 2))
    expect(poison.refused(claim(0, 1))).toBe('suspect')
    expect(poison.accepted()).toMatchObject([{ first: 0 }])
    expect(poison.accepted()).toEqual([])
    expect(poison.refused(claim(0, 1))).toBe('bury')
    expect(poison.refused(claim(0, 1)), 'a dead letter that is sent again starts anew').toBe('suspect')
  })

  test('grows again while what is halved is accepted', () => {
    const poison = new Poison()
    poison.refused(claim(0, 8))
    expect(poison.accepted()).toEqual([])
    expect(poison.maxEvents).toBe(8)
  })

  test('a relay that refuses everything buries nothing: parked after five', () => {
    const poison = new Poison()
    const said = Array.from({ length: 7 }, (_, first) => poison.refused(claim(first, 1)))
    expect(said).toEqual(['suspect', 'suspect', 'suspect', 'suspect', 'suspect', 'park', 'park'])
  })

  test('a request without events is nobody’s fault', () => {
    expect(new Poison().refused({ segments: [], reports: [], more: false })).toBe('park')
  })
})
