import { describe, expect, test } from 'vitest'
import { CompensatedSum } from '../../src/agent/compensated-sum.ts'
import { closeOrphans } from '../../src/agent/orphans.ts'
import { StreamLock } from '../../src/agent/stream-lock.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { streamOf } from '../support/agent-world.ts'
import { failure, settle } from '../support/fake-clock.ts'
import { FakeLocks } from '../support/fake-locks.ts'

const NOW = 1_700_000_000_000
const DAY_MS = 86_400_000

/** One open window for each stream, with its end. */
async function withWindows(...endsMs: readonly number[]) {
  const outbox = createMemoryOutbox({ random: () => 'device' })
  for (const [n, closesAtMs] of endsMs.entries()) {
    const [stream, accountTag] = [streamOf(n), '']
    await outbox.append({
      head: { stream, accountTag, openedAtMs: 0, recorded: 1, bytes: 0, refused: {} },
      segments: [],
      strict: false,
      rollups: [{ stream, seq: 0, accountTag, event: '["hot",0,{}]', closesAtMs }],
    })
  }
  const open = async () => (await outbox.openRollups()).map(({ stream }) => stream)
  return { outbox, open }
}

describe('orphans', () => {
  test('are closed ten seconds after their window’s end, not this agent’s own, and not those of the living', async () => {
    const { outbox, open } = await withWindows(NOW - 10_001, NOW - 10_000, NOW - 60_000, NOW - 60_000)
    const locks = new FakeLocks()
    const alive = new StreamLock(locks.manager)
    alive.hold(streamOf(3))
    const look = () => closeOrphans({ outbox, locks: locks.manager, own: streamOf(2), nowMs: NOW })
    expect([await look(), await open()]).toEqual([1, [streamOf(1), streamOf(2), streamOf(3)]])
    alive.release()
    await settle()
    expect([await look(), await open()]).toEqual([1, [streamOf(1), streamOf(2)]])
  })

  test('are left alone by a look that comes while another has the lock', async () => {
    const { outbox } = await withWindows(NOW - 60_000)
    const locks = new FakeLocks()
    const look = () => closeOrphans({ outbox, locks: locks.manager, own: '', nowMs: NOW })
    expect((await Promise.all([look(), look()])).sort()).toEqual([0, 1])
  })

  const denied = {
    request: () => Promise.reject(new DOMException('Denied', 'SecurityError')),
  } as unknown as LockManager

  test.each([
    ['there are none', undefined],
    ['they are denied', denied],
  ])('count as dead only after a day where locks cannot tell: %s', async (_, locks) => {
    const { outbox, open } = await withWindows(NOW - DAY_MS, NOW - DAY_MS - 1)
    expect(await closeOrphans({ outbox, locks, own: '', nowMs: NOW })).toBe(1)
    expect(await open()).toEqual([streamOf(0)])
  })

  test('an outbox that fails is no denied lock', async () => {
    const { outbox } = await withWindows(NOW - 60_000)
    const broken = { ...outbox, closeRollups: () => Promise.reject(new Error('disk')) }
    const locks = new FakeLocks().manager
    expect((await failure(() => closeOrphans({ outbox: broken, locks, own: '', nowMs: NOW }))).message).toBe('disk')
  })
})

describe('compensated sum', () => {
  test.each([
    [Array<number>(10).fill(0.1), 1],
    [[1e16, 1, 1, -1e16], 2],
    [[1, 1e100, 1, -1e100], 2],
    [[], 0],
  ])('%j', (amounts, expected) => {
    expect(amounts.reduce((sum, each) => sum.plus(each), new CompensatedSum(0)).value).toBe(expected)
  })

  test('a sum that was added to is another one', () => {
    const start = new CompensatedSum(1)
    expect([start.plus(2).value, start.value]).toEqual([3, 1])
  })
})
