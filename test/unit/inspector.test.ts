import { describe, expect, it } from 'vitest'
import type { AgentStats } from '../../src/agent/stats.ts'
import type { Progress, Run } from '../../src/inspector/contract.ts'
import { describeFacts, describeState, OFFLINE } from '../../src/inspector/describe.ts'
import { newFlushes } from '../../src/inspector/flushes.ts'
import { History } from '../../src/inspector/history.ts'
import { inspect } from '../../src/inspector/inspect.ts'
import { RunStates, Runs, stateOf } from '../../src/inspector/runs.ts'
import { MetertapError } from '../../src/wire/errors.ts'

const stream = '018f0000-0000-7000-8000-000000000001'
const IDLE: AgentStats = {
  ...{ stream: undefined, recorded: 0, refused: {}, storing: 0, waiting: 0, waitingBytes: 0, deadLetters: 0 },
  ...{ inFlight: 0, accepted: 0, requests: 0, flushes: {}, pausedBy: [], sender: true, durability: 'process' },
  ...{ lastTrouble: undefined, openWindows: 0, nextTryAtMs: undefined },
}
const run = (from: number, to: number): Run => ({ stream, from, to, atMs: 0 })

interface Ledger {
  readonly recorded: number
  readonly storing?: number
  readonly settled?: number
  readonly dead?: readonly number[]
  readonly dropped?: number
}

function progress({ recorded, storing = 0, settled = 0, dead = [], dropped = 0 }: Ledger): Progress {
  const counts = { settled, dead: dead.length, dropped: dropped > 0 ? { purged: dropped } : {}, refused: {}, bytes: 0 }
  return {
    stats: { ...IDLE, stream, recorded, storing },
    summary: { stream, accountTag: '', openedAtMs: 0, recorded: recorded - storing, ...counts },
    dead: new Map(dead.map((seq) => [seq, 'unknown_meter'])),
  }
}

describe('where a run of events is', () => {
  it.each([
    ['storing', run(3, 4), progress({ recorded: 5, storing: 2 })],
    ['waiting', run(3, 4), progress({ recorded: 5, settled: 2 })],
    ['leaving', run(0, 4), progress({ recorded: 9, settled: 2 })],
    ['likely', run(0, 1), progress({ recorded: 9, settled: 2 })],
    ['accepted', run(0, 1), progress({ recorded: 9, settled: 9 })],
    ['accepted', run(0, 1), progress({ recorded: 3, settled: 2, dead: [1] })],
    ['dead', run(1, 1), progress({ recorded: 9, dead: [1] })],
    ['gone', run(0, 1), progress({ recorded: 3, settled: 1, dropped: 2 })],
    ['gone', run(0, 1), { ...progress({ recorded: 3, settled: 2, dead: [1] }), dead: new Map() }],
    ['waiting', run(0, 1), { ...progress({ recorded: 3, settled: 3 }), summary: undefined }],
  ] as const)('%s', (expected, given, known) => {
    expect(stateOf(given, known)).toBe(expected)
  })

  it('once accepted for certain stays so, and a dead letter that is sent again does not', () => {
    const states = new RunStates()
    const [first, second] = [run(0, 1), run(2, 2)]
    const settled = progress({ recorded: 3, settled: 2, dead: [2] })
    expect([first, second].map((each) => states.look(each, settled))).toEqual(['accepted', 'dead'])
    const again = progress({ recorded: 9, settled: 2 })
    expect([first, second].map((each) => states.look(each, again))).toEqual(['accepted', 'waiting'])
  })

  it('is told of every number once, also when the agent goes on with another stream', () => {
    const runs = new Runs()
    runs.look(IDLE, 1)
    for (const recorded of [2, 2, 5]) runs.look({ ...IDLE, stream, recorded }, 2)
    runs.look({ ...IDLE, stream: 'another', recorded: 1 }, 3)
    expect(runs.runs.map(({ stream, from, to }) => [stream, from, to])).toEqual([
      ['another', 0, 0],
      [stream, 2, 4],
      [stream, 0, 1],
    ])
    for (let recorded = 6; recorded < 1_000; recorded++) runs.look({ ...IDLE, stream: 'third', recorded }, 4)
    expect(runs.runs).toHaveLength(60)
  })
})

describe('the timeline', () => {
  it('finds flushes in what was counted', () => {
    expect(newFlushes({ count: 2 }, { count: 4, manual: 1, interval: 0 })).toEqual([
      ['count', 2],
      ['manual', 1],
    ])
  })

  it('joins what is alike within a second, and has an end', () => {
    const history = new History()
    history.add('stored', 'process', 1_000, 2)
    history.add('stored', 'process', 1_900, 3)
    history.add('stored', 'process', 2_000, 1)
    expect(history.entries.map(({ events, times, atMs }) => [events, times, atMs])).toEqual([
      [1, 1, 2_000],
      [5, 2, 1_000],
    ])
    for (let atMs = 0; atMs < 200_000; atMs += 1_000) history.add('flush', 'count', atMs)
    expect(history.entries).toHaveLength(100)
  })
})

describe('what the panel says', () => {
  const trouble = { code: 'relay_unreachable', detail: 'no answer', atMs: 0 }

  it.each([
    [{}, 'good', 'Nothing is recorded yet.'],
    [{ recorded: 1 }, 'good', 'All sent. Nothing waits.'],
    [{ recorded: 1, storing: 1 }, 'waits', 'Events wait to be sent.'],
    [{ deadLetters: 1 }, 'bad', 'Nothing waits, but there are dead letters.'],
    [{ pausedBy: ['consent'] }, 'waits', 'Paused by consent. Recording goes on.'],
    [{ pausedBy: ['auth', 'consent'] }, 'bad', 'Paused: the token is refused or cannot be had.'],
    [{ pausedBy: ['auth', OFFLINE] }, 'waits', 'Offline by this switch. Other tabs may still send.'],
    [{ nextTryAtMs: 5, lastTrouble: trouble, waiting: 1 }, 'bad', 'Tries again: relay_unreachable.'],
    [{ durability: 'memory', waiting: 1 }, 'bad', 'Events are kept in memory only.'],
  ] as const)('of %j', (stats, mood, text) => {
    expect(describeState({ ...IDLE, ...stats })).toEqual({ mood, text })
  })

  it('of the token: how it fares, never what it is', () => {
    const tokenOf = (stats: Partial<AgentStats>) => describeFacts({ ...IDLE, ...stats }, 0).Token
    expect(tokenOf({})).toBe('not used yet')
    expect(tokenOf({ lastTrouble: { ...trouble, code: 'unauthorized' } })).toBe('was refused')
    expect(tokenOf({ accepted: 1 })).toBe('taken')
    expect(tokenOf({ accepted: 1, pausedBy: ['auth'] })).toBe('refused, or cannot be had')
  })
})

describe('inspect()', () => {
  const codeOf = (work: () => unknown): string | undefined => {
    try {
      work()
    } catch (error) {
      return error instanceof MetertapError ? `${error.code}: ${error.message}` : 'another error'
    }
    return undefined
  }

  it('says what to do where there is no page, and for what is no agent', () => {
    const agent = { stats: () => IDLE } as unknown as Parameters<typeof inspect>[0]
    expect(codeOf(() => inspect(agent))).toMatch(/^bad_option: .*needs a page/)
    expect(codeOf(() => inspect({} as typeof agent))).toMatch(/^bad_option: .*what createAgent\(\) gave/)
  })
})
