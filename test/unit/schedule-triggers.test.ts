import { describe, expect, test } from 'vitest'
import { createTriggers } from '../../src/schedule/triggers.ts'
import { fakeClock } from '../support/fake-clock.ts'

function setUp() {
  const clock = fakeClock()
  const fired: [reason: string, atMs: number][] = []
  const startMs = clock.now()
  const triggers = createTriggers({
    setTimer: clock.setTimer,
    flush: (reason) => fired.push([reason, clock.now() - startMs]),
    flushIntervalMs: 5_000,
    flushEvents: 10,
    flushBytes: 1_000,
  })
  return { clock, fired, triggers }
}

describe('triggers', () => {
  test('no timer runs while nothing waits', () => {
    const { clock, triggers } = setUp()
    expect(clock.pendingMs).toEqual([])
    triggers.setIntervalMs(1)
    triggers.flushed()
    expect(clock.pendingMs).toEqual([])
  })

  test('the first event starts the interval, later ones do not push it back', async () => {
    const { clock, fired, triggers } = setUp()
    triggers.appended(1, 10)
    await clock.advance(4_000)
    triggers.appended(1, 10)
    expect(clock.pendingMs).toEqual([1_000])
    await clock.advance(999)
    expect(fired).toEqual([])
    await clock.advance(1)
    expect(fired).toEqual([['interval', 5_000]])
    expect(clock.pendingMs).toEqual([])
  })

  test('the event that makes the count flushes at once, and all starts anew', () => {
    const { clock, fired, triggers } = setUp()
    triggers.appended(9, 9)
    expect(fired).toEqual([])
    triggers.appended(1, 1)
    expect(fired).toEqual([['count', 0]])
    expect(clock.pendingMs).toEqual([])
    triggers.appended(9, 9)
    expect(fired).toHaveLength(1)
    expect(clock.pendingMs).toEqual([5_000])
  })

  test('bytes flush too, and start anew', () => {
    const { fired, triggers } = setUp()
    triggers.appended(1, 999)
    triggers.appended(1, 1)
    triggers.appended(1, 999)
    expect(fired).toEqual([['bytes', 0]])
  })

  test('a flush for another reason resets counts and timer', async () => {
    const { clock, fired, triggers } = setUp()
    triggers.appended(9, 999)
    triggers.flushed()
    expect(clock.pendingMs).toEqual([])
    triggers.appended(1, 1)
    expect(fired).toEqual([])
    await clock.advance(5_000)
    expect(fired).toEqual([['interval', 5_000]])
  })

  test('a peer’s wish (nothing of our own) starts the interval', async () => {
    const { clock, fired, triggers } = setUp()
    triggers.appended(0, 0)
    await clock.advance(5_000)
    expect(fired).toEqual([['interval', 5_000]])
  })

  test('a new interval counts from the next timer on', async () => {
    const { clock, fired, triggers } = setUp()
    triggers.appended(1, 1)
    triggers.setIntervalMs(60_000)
    expect(clock.pendingMs).toEqual([5_000])
    await clock.advance(5_000)
    triggers.appended(1, 1)
    expect(clock.pendingMs).toEqual([60_000])
    expect(fired).toHaveLength(1)
  })

  test('stop() leaves no timer', () => {
    const { clock, triggers } = setUp()
    triggers.appended(1, 1)
    triggers.stop()
    expect(clock.pendingMs).toEqual([])
  })
})
