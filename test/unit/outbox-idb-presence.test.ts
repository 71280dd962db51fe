import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import type { LifecycleEvent } from '../../src/runtime/contract.ts'
import { CLAIM_ALL, claimOf, events, numbersOf, received } from '../contract/outbox-kit.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

const AWAY = { code: 'outbox_unavailable', message: /put away/ }

let outbox: Outbox
let tests = 0
let tell: (event: LifecycleEvent) => void = () => {}
let one: UsageOwner

function onLifecycle(listener: (event: LifecycleEvent) => void): () => void {
  tell = listener
  return () => {
    tell = () => {}
  }
}

beforeEach(async () => {
  const random = () => crypto.randomUUID()
  const clock = () => CLAIM_ALL.nowMs
  outbox = await openIdbOutbox({ name: `presence-${++tests}`, indexedDB, random, clock, onLifecycle })
  one = new UsageOwner(streamId(1), 'acme')
  await outbox.append(one.group(events(3)))
})

afterEach(async () => {
  vi.restoreAllMocks()
  await outbox.close()
})

test.each(['pagehide', 'freeze'] as const)(
  '%s ends a transaction of several steps, and nothing of it stays',
  async (event) => {
    const claim = await claimOf(outbox)
    const settling = outbox.settle(received(claim))
    tell(event)
    await expect(settling).rejects.toMatchObject(AWAY)
    tell('visible')
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+3'])
  },
)

test('a page that is put away starts no such transaction, until it is shown again', async () => {
  tell('pagehide')
  tell('hidden')
  await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject(AWAY)
  await expect(outbox.totals()).rejects.toMatchObject(AWAY)
  tell('pageshow')
  expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+3'])
})

test('a page that is put away still stores what it recorded', async () => {
  tell('pagehide')
  expect(await outbox.append(one.group(events(2)))).toBe('process')
})

test('a release is committed in the turn that asks for it', async () => {
  const claim = await claimOf(outbox)
  const commit = vi.spyOn(IDBTransaction.prototype, 'commit')
  const released = outbox.release(claim)
  expect(commit).toHaveBeenCalledTimes(1)
  await released
})

test('a closed outbox listens no longer', async () => {
  await outbox.close()
  expect(tell('pagehide')).toBeUndefined()
  await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject({ code: 'closed' })
})
