import { describe, expect, test } from 'vitest'
import { ExitMirror, type ExitOptions } from '../../src/agent/exit.ts'
import type { Segment, Settlement } from '../../src/outbox/contract.ts'
import { type ExitBatch, exitBatch } from '../../src/wire/contract.ts'
import { deferred, settle } from '../support/fake-clock.ts'

const STREAM = '018f0000-0000-7000-8000-000000000001'
const report = { id: STREAM, recorded: 9, dropped: {}, refused: {} }
const segment = (first: number, bytes = 100): Segment => {
  const body = `["c",${first},"${'x'.repeat(bytes - 9 - String(first).length)}"]`
  return { stream: STREAM, first, count: 1, bytes: body.length, body }
}

function setUp(freeBytes = 60_000) {
  const sent: ExitBatch[] = []
  const settlements: Settlement[] = []
  const settled: number[] = []
  const answers: PromiseWithResolvers<{ status: number; body: string } | undefined>[] = []
  const state = { refuse: false, settle: async () => ({ received: 1, dead: [] }) }
  const options = {
    courier: {
      freeBytes,
      leaveBehind: () => false,
      send(body: string) {
        if (state.refuse || Buffer.byteLength(body) > freeBytes) return undefined
        sent.push(exitBatch.parse(JSON.parse(body)))
        const answer = deferred<{ status: number; body: string } | undefined>()
        answers.push(answer)
        return answer.promise
      },
    },
    outbox: {
      settle: (settlement: Settlement) => {
        settlements.push(settlement)
        return state.settle()
      },
    } as unknown as ExitOptions['outbox'],
    device: 'device',
    now: () => 5,
    onSettled: ({ received }: { received: number }) => settled.push(received),
  } satisfies ExitOptions
  const leave = (mirror: ExitMirror, except?: ReadonlySet<number>, token = 'token') =>
    mirror.send(options, report, token, except)
  const firsts = () => sent.map(({ segments }) => segments.map(({ first }) => first))
  return { leave, sent, firsts, settlements, settled, answers, state }
}

function mirrorOf(firsts: readonly number[], maxBytes = 60_000, bytes = 100): ExitMirror {
  const mirror = new ExitMirror(maxBytes)
  for (const first of firsts) mirror.add(segment(first, bytes))
  return mirror
}

describe('exit mirror', () => {
  test('sends what it holds as an exit batch with the token inside, once', () => {
    const { leave, sent } = setUp()
    const mirror = mirrorOf([0, 1])
    leave(mirror)
    leave(mirror)
    expect(sent).toEqual([
      {
        v: 1,
        sentAt: 5,
        device: 'device',
        token: 'token',
        streams: [report],
        segments: [0, 1].map((first) => ({ stream: STREAM, first, events: JSON.parse(`[${segment(first).body}]`) })),
      },
    ])
  })

  test('sends nothing when there is nothing', () => {
    const { leave, sent } = setUp()
    leave(mirrorOf([]))
    expect(sent).toEqual([])
  })

  test('forgets what was settled, and all of it on clear()', () => {
    const { leave, firsts } = setUp()
    const mirror = mirrorOf([0, 1, 2])
    mirror.remove(1)
    mirror.remove(7)
    leave(mirror)
    mirror.add(segment(3))
    mirror.clear()
    leave(mirror)
    expect(firsts()).toEqual([[0, 2]])
  })

  test('leaves out what is in another request, but keeps it', () => {
    const { leave, firsts } = setUp()
    const mirror = mirrorOf([0, 1, 2])
    leave(mirror, new Set([1]))
    leave(mirror)
    expect(firsts()).toEqual([[0, 2], [1]])
  })

  test('holds no more than its bytes, the newest', () => {
    const { leave, firsts } = setUp()
    leave(mirrorOf([0, 1, 2, 3], 250))
    expect(firsts()).toEqual([[2, 3]])
  })

  test('a segment that could never leave pushes nothing out', () => {
    const { leave, firsts } = setUp()
    const mirror = mirrorOf([0, 1], 250)
    mirror.add(segment(2, 251))
    leave(mirror)
    expect(firsts()).toEqual([[0, 1]])
  })

  test('a segment added twice counts once', () => {
    const { leave, firsts } = setUp()
    leave(mirrorOf([0, 1, 1, 1], 250))
    expect(firsts()).toEqual([[0, 1]])
  })

  test('what does not fit the budget stays for the next time, smaller ones behind it go', () => {
    const { leave, firsts } = setUp(10_000)
    const mirror = mirrorOf([0])
    mirror.add(segment(1, 9_000))
    mirror.add(segment(2))
    leave(mirror)
    leave(mirror)
    expect(firsts()).toEqual([[0, 2]])
  })

  test('a long token makes room for itself', () => {
    const { leave, sent } = setUp(10_000)
    leave(mirrorOf([0, 1, 2, 3], 60_000, 1_500), undefined, 't'.repeat(5_000))
    expect(sent[0]?.segments).toHaveLength(1)
  })

  test('a request that cannot be sent costs nothing', () => {
    const { leave, firsts, state } = setUp()
    const mirror = mirrorOf([0])
    state.refuse = true
    leave(mirror)
    state.refuse = false
    leave(mirror)
    expect(firsts()).toEqual([[0]])
  })
})

describe('exit mirror: a page that lives on', () => {
  const body = JSON.stringify({
    received: { [STREAM]: [[0, 0]] },
    rejected: [{ stream: STREAM, seq: 1, code: 'c', detail: 'd' }],
    retry: [],
    serverTime: 1,
  })

  test('settles by the answer', async () => {
    const { leave, answers, settlements, settled } = setUp()
    leave(mirrorOf([0, 1]))
    answers[0]?.resolve({ status: 200, body })
    await settle()
    expect(settlements).toMatchObject([
      {
        claim: { segments: [{ first: 0 }, { first: 1 }], reports: [report] },
        received: { [STREAM]: [[0, 0]] },
        rejected: [{ seq: 1 }],
        nowMs: 5,
      },
    ])
    expect(settled).toEqual([1])
  })

  test.each([undefined, { status: 401, body: '' }, { status: 503, body }, { status: 200, body: '<html>' }])(
    '%j settles nothing',
    async (answer) => {
      const { leave, answers, settlements } = setUp()
      leave(mirrorOf([0]))
      answers[0]?.resolve(answer)
      await settle()
      expect(settlements).toEqual([])
    },
  )

  test('an outbox that is closed by then is no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    const { leave, answers, state, settlements } = setUp()
    state.settle = () => Promise.reject(new Error('closed'))
    leave(mirrorOf([0]))
    answers[0]?.resolve({ status: 200, body })
    await settle()
    process.off('unhandledRejection', note)
    expect([settlements.length, unhandled]).toEqual([1, []])
  })
})
