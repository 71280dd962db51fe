import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { CLAIM_ALL, claimOf, events, numbersOf, received, waitingByEquation } from '../contract/outbox-kit.ts'
import { fillStorage } from '../support/full-storage.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

let outbox: Outbox
let tests = 0

beforeEach(async () => {
  const random = () => crypto.randomUUID()
  outbox = await openIdbOutbox({ name: `full-${++tests}`, indexedDB, random, clock: () => CLAIM_ALL.nowMs })
})

afterEach(async () => {
  vi.restoreAllMocks()
  await outbox.close()
})

test('a full outbox lets go of what the relay holds, and counts it as settled', async () => {
  const one = new UsageOwner(streamId(1), 'acme')
  await outbox.append(one.group(events(6), { perSegment: 3 }))
  const claim = await claimOf(outbox)
  fillStorage()
  expect(await outbox.settle(received(claim))).toEqual({ received: 6, dead: [] })
  expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
  expect(await outbox.streams()).toMatchObject([{ recorded: 6, settled: 6 }])
  // Nothing is sent again, not even the acknowledged report: an empty outbox must not ask for ever.
  expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
})

test('what was owed is counted once there is room, and only once', async () => {
  const one = new UsageOwner(streamId(1), 'acme')
  await outbox.append(one.group(events(4), { perSegment: 2 }))
  const claim = await claimOf(outbox)
  const empty = fillStorage()
  await outbox.settle(received(claim))
  await outbox.settle(received(claim))
  empty()
  await outbox.append(one.group(events(1)))
  expect(await outbox.settle(received(await claimOf(outbox)))).toMatchObject({ received: 1 })
  expect(await outbox.streams()).toMatchObject([{ recorded: 5, settled: 5 }])
  expect(await waitingByEquation(outbox)).toBe(0)
})

test('a full outbox keeps what the relay does not hold whole, and says that it is full', async () => {
  const one = new UsageOwner(streamId(1), 'acme')
  await outbox.append(one.group(events(4)))
  const claim = await claimOf(outbox)
  const empty = fillStorage()
  const partly = { ...received(claim), received: { [one.stream]: [[0, 1]] as [number, number][] } }
  await expect(outbox.settle(partly)).rejects.toMatchObject({ code: 'outbox_full' })
  empty()
  expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+4'])
})
