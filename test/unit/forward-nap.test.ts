import { beforeEach, describe, expect, test } from 'vitest'
import { createNapper, type Napper } from '../../src/relay/forward/nap.ts'
import { createVirtualTime, type VirtualTime } from '../support/virtual-time.ts'

describe('createNapper', () => {
  let time: VirtualTime
  let napper: Napper
  beforeEach(() => {
    time = createVirtualTime(0)
    napper = createNapper(time.timer)
  })

  /** When the nap ended, or undefined while it lasts. */
  function watch(ms: number, wakeable: boolean) {
    const seen: { endedAtMs?: number } = {}
    napper.nap(ms, wakeable).then(() => {
      seen.endedAtMs = time.clock()
    })
    return seen
  }

  test('lasts its time', async () => {
    const nap = watch(100, true)
    await time.advance(99)
    expect(nap.endedAtMs).toBeUndefined()
    await time.advance(1)
    expect(nap.endedAtMs).toBe(100)
  })

  test('a wake ends a wakeable nap only', async () => {
    const light = watch(100, true)
    napper.wake()
    await time.advance(10)
    expect(light.endedAtMs).toBe(0)
    napper.forget()
    const deep = watch(100, false)
    napper.wake()
    await time.advance(100)
    expect(deep.endedAtMs).toBe(110)
  })

  test('a wake between the look and the nap is not lost; one before the look is', async () => {
    napper.forget()
    napper.wake()
    const missed = watch(100, true)
    await time.advance(0)
    expect(missed.endedAtMs).toBe(0)
    napper.forget()
    const nap = watch(100, true)
    await time.advance(50)
    expect(nap.endedAtMs).toBeUndefined()
  })

  test('after the end no nap lasts', async () => {
    const deep = watch(100, false)
    napper.end()
    const later = watch(100, false)
    await time.advance(0)
    expect([deep.endedAtMs, later.endedAtMs]).toEqual([0, 0])
  })
})
