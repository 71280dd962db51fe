import { expect, test } from 'vitest'
import { syncWhenStuck } from '../../src/agent/background-sync.ts'
import { calls, world } from '../support/agent-world.ts'
import { settle } from '../support/fake-clock.ts'

async function page(isGranted = true) {
  const w = world()
  const { agent, runtime } = await w.open()
  let asked = 0
  const request = async () => {
    asked++
    return isGranted
  }
  syncWhenStuck({ agent, runtime, request })
  return { w, agent, runtime, asked: () => asked }
}

test('a sync is asked for when events wait and the network is gone, once', async () => {
  const { agent, runtime, asked } = await page()
  runtime.isOnline = false
  runtime.tell('offline')
  await settle()
  expect(asked(), 'nothing waits').toBe(0)
  await agent.record(calls, { n: 1 }).durable
  await agent.record(calls, { n: 2 }).durable
  await settle()
  expect(asked()).toBe(1)
})

test('when a request fails, and again after something was delivered', async () => {
  const { w, agent, asked } = await page()
  for (let round = 1; round <= 2; round++) {
    w.relay.faults.push('offline')
    agent.record(calls, { n: round })
    await agent.flush()
    await settle()
    expect(asked()).toBe(round)
    await agent.flush()
    await settle()
  }
  expect(w.relay.ids).toHaveLength(2)
})

test('whenever the page is left with something waiting, and never after close()', async () => {
  const { w, agent, runtime, asked } = await page()
  runtime.tell('hidden')
  expect(asked()).toBe(0)
  w.relay.faults.push('offline')
  agent.record(calls, { n: 1 })
  runtime.tell('hidden')
  runtime.tell('pagehide')
  await settle()
  expect(asked()).toBeGreaterThanOrEqual(2)
  const before = asked()
  runtime.tell('pageshow')
  await agent.close()
  runtime.tell('pagehide')
  await settle()
  expect(asked()).toBe(before)
})

test('one that was not granted is asked for again', async () => {
  const { w, agent, asked } = await page(false)
  w.relay.faults.push('offline', 'offline')
  agent.record(calls, { n: 1 })
  await agent.flush()
  await agent.flush()
  await settle()
  expect(asked()).toBe(2)
})
