import { describe, expect, it } from 'vitest'
import { type Evidence, judge, type RelayStream } from '../../demo/stage/verdict.ts'

const ID = 'stream'
const outbox = { id: ID, recorded: 10, settled: 10, dead: 0, dropped: 0 }
const row: RelayStream = {
  ...{ stream: ID, recorded: 10, received: 10, forwarded: 10, dead: 0, discarded: 0 },
}

function judgeOne(
  here: Partial<typeof outbox>,
  there: Partial<RelayStream>,
  billed: number,
  more: Partial<Evidence> = {},
): ReturnType<typeof judge> {
  const relay = new Map([[ID, { ...row, ...there }]])
  const evidence = {
    outbox: [{ ...outbox, ...here }],
    relay,
    isRelayKnown: true,
    countBilled: () => billed,
    doubled: 0,
  }
  return judge({ ...evidence, ...more })
}

describe('the stage’s verdict', () => {
  it('is whole when everything is billed', () => {
    expect(judgeOne({}, {}, 10)).toEqual({
      ...{ recorded: 10, billed: 10, waitingHere: 0, waitingRelay: 0, dead: 0, dropped: 0, doubled: 0, missing: 0 },
    })
  })

  it('says who holds what waits', () => {
    const verdict = judgeOne({ settled: 6 }, { received: 6, forwarded: 4 }, 4)
    expect(verdict).toMatchObject({ billed: 4, waitingHere: 4, waitingRelay: 2, missing: 0 })
  })

  it('misses what was acknowledged and is not in the relay, and what was forwarded and is not billed', () => {
    expect(judgeOne({}, { received: 8, forwarded: 8 }, 8)).toMatchObject({ missing: 2, waitingRelay: 0 })
    expect(judgeOne({}, {}, 7)).toMatchObject({ missing: 3, waitingRelay: 0 })
  })

  it('takes nothing for missing that has only moved on since the browser looked', () => {
    const verdict = judgeOne({ recorded: 4, settled: 2 }, {}, 10)
    expect(verdict).toMatchObject({ recorded: 10, billed: 10, waitingHere: 0, waitingRelay: 0, missing: 0 })
  })

  it('tells dead letters and drops apart from what waits', () => {
    const verdict = judgeOne(
      { settled: 7, dead: 1, dropped: 2 },
      { received: 7, forwarded: 5, dead: 1, discarded: 1 },
      5,
    )
    expect(verdict).toMatchObject({ dead: 3, dropped: 2, waitingHere: 0, waitingRelay: 0, missing: 0 })
  })

  it('does not say what is missing while the relay cannot be asked', () => {
    const verdict = judgeOne({}, { received: 3, forwarded: 3 }, 3, { isRelayKnown: false })
    expect(verdict).toMatchObject({ missing: undefined, waitingRelay: 7 })
  })
})
