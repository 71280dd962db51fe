import { describe, expect, test } from 'vitest'
import { createAlarm } from '../../src/schedule/alarm.ts'
import { createRounds } from '../../src/schedule/rounds.ts'
import { fakeClock } from '../support/fake-clock.ts'

describe('alarm', () => {
  function setUp() {
    const clock = fakeClock()
    const rangAt: number[] = []
    const { setTimer, monotonic } = clock
    return { clock, rangAt, alarm: createAlarm({ setTimer, monotonic, ring: () => rangAt.push(monotonic()) }) }
  }

  test('rings once, after the shortest delay asked for, whatever the wall clock does', async () => {
    const { clock, rangAt, alarm } = setUp()
    alarm.within(5_000)
    alarm.within(9_000)
    alarm.within(1_000)
    clock.step(-86_400_000)
    alarm.within(3_000)
    expect(clock.pendingMs).toEqual([1_000])
    await clock.advance(20_000)
    expect([rangAt, clock.pendingMs]).toEqual([[1_000], []])
    alarm.within(500)
    await clock.advance(500)
    expect(rangAt).toEqual([1_000, 20_500])
  })

  test('stop() leaves no timer', async () => {
    const { clock, rangAt, alarm } = setUp()
    alarm.within(1_000)
    alarm.stop()
    await clock.advance(2_000)
    expect([rangAt, clock.pendingMs]).toEqual([[], []])
  })
})

describe('rounds', () => {
  test('one look a minute while it is needed, and no timer when it is not', async () => {
    const clock = fakeClock()
    const seen = { looks: 0 }
    const rounds = createRounds({
      setTimer: clock.setTimer,
      look: () => {
        seen.looks++
        rounds.keep(seen.looks < 3)
      },
    })
    rounds.keep(false)
    expect(clock.pendingMs).toEqual([])
    rounds.keep(true)
    await clock.advance(30_000)
    rounds.keep(true)
    await clock.advance(29_999)
    expect(seen.looks).toBe(0)
    await clock.advance(600_000)
    expect([seen.looks, clock.pendingMs]).toEqual([3, []])
    rounds.keep(true)
    rounds.stop()
    expect(clock.pendingMs).toEqual([])
  })
})
