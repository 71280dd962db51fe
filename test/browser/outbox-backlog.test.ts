import { expect, test } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { CLAIM_ALL, claimOf, events, numbersOf, received } from '../contract/outbox-kit.ts'
import { BACKLOG_EVENTS, BACKLOG_STREAMS, EVENTS_PER_SEGMENT, fillBacklog } from '../support/backlog.ts'
import { watchIdb } from '../support/idb-traffic.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

const traffic = watchIdb()
const rowsOf = (store: string) => traffic.rows.get(store) ?? 0
const open = (name: string) =>
  openIdbOutbox({ name, indexedDB, random: () => crypto.randomUUID(), clock: () => CLAIM_ALL.nowMs })

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const start = performance.now()
  const value = await work()
  return { ms: performance.now() - start, value }
}

interface Start {
  outbox: Outbox
  openMs: number
  appendMs: number
  totalsMs: number
  claimMs: number
}

/** A page load: opens, appends, counts, claims. */
async function start(name: string, nth: number): Promise<Start> {
  const { ms: openMs, value: outbox } = await timed(() => open(name))
  const group = new UsageOwner(streamId(nth), 'acme').group(events(10))
  const { ms: appendMs } = await timed(() => outbox.append(group))
  const { ms: totalsMs } = await timed(() => outbox.totals())
  const { ms: claimMs } = await timed(() => claimOf(outbox, { maxEvents: 1_000 }))
  return { outbox, openMs, appendMs, totalsMs, claimMs }
}

test('a backlog of a million events is neither scanned nor felt', { timeout: 180_000 }, async () => {
  const full = `backlog-${crypto.randomUUID()}`
  const empty = `empty-${crypto.randomUUID()}`
  const filler = await open(full)
  const { ms: fillMs } = await timed(() => fillBacklog(filler))
  await filler.close()
  // An empty outbox whose claim gives as many segments: the same work without a backlog.
  const small = await open(empty)
  await small.append(new UsageOwner(streamId(1), 'acme').group(events(1_000), { perSegment: EVENTS_PER_SEGMENT }))
  await small.close()
  const warmUp = await start(empty, 999)
  await warmUp.outbox.close()
  const without = await start(empty, 1_000)

  traffic.reset()
  const outbox = await open(full)
  expect(traffic.requests.size).toBe(0)
  await outbox.append(new UsageOwner(streamId(1_001), 'acme').group(events(10)))
  expect([...traffic.requests]).toEqual([
    ['put segments', 1],
    ['put streams', 1],
  ])
  expect(traffic.transactions).toBe(1)
  expect(rowsOf('segments')).toBe(0)

  traffic.reset()
  expect(await outbox.totals()).toMatchObject({ events: BACKLOG_EVENTS + 10 })
  expect(rowsOf('segments')).toBe(0)
  expect(rowsOf('streams')).toBe(BACKLOG_STREAMS + 1)
  expect(traffic.transactions).toBe(1)

  traffic.reset()
  const claim = await claimOf(outbox, { maxEvents: 1_000 })
  expect(claim.segments).toHaveLength(20)
  expect(claim.more).toBe(true)
  // One more than it gives, and what came with it.
  expect(rowsOf('segments')).toBeLessThanOrEqual(2 * 21)
  expect(traffic.requests.get('getAll segments')).toBe(4)
  expect(traffic.transactions).toBe(1)

  traffic.reset()
  expect(await outbox.settle(received(claim))).toEqual({ received: 1_000, dead: [] })
  expect(rowsOf('segments')).toBe(0)
  expect(traffic.requests.get('delete segments')).toBe(1)

  traffic.reset()
  expect(await outbox.dropOldest({ bytes: 10_000, reason: 'budget', nowMs: CLAIM_ALL.nowMs })).toBeGreaterThan(0)
  expect(rowsOf('segments')).toBeLessThan(10)
  await outbox.close()

  const withBacklog = await start(full, 1_002)
  expect(numbersOf(await claimOf(withBacklog.outbox, { maxEvents: 1 }))).toHaveLength(1)
  const line = (what: string, a: number, b: number) =>
    `${what}: ${a.toFixed(1)} ms with the backlog, ${b.toFixed(1)} ms without (×${(a / b).toFixed(2)})`
  console.log(
    [
      `backlog of ${BACKLOG_EVENTS} events written in ${fillMs.toFixed(0)} ms`,
      line('open', withBacklog.openMs, without.openMs),
      line('first append', withBacklog.appendMs, without.appendMs),
      line('totals', withBacklog.totalsMs, without.totalsMs),
      line('first claim of 1,000 events', withBacklog.claimMs, without.claimMs),
    ].join('\n'),
  )
  await Promise.all([withBacklog.outbox.close(), without.outbox.close()])
  for (const name of [full, empty]) indexedDB.deleteDatabase(name)
})
