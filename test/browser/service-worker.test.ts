import { afterEach, beforeEach, expect, test } from 'vitest'
import { createAgent } from '../../src/index.ts'
import { type AgentHome, deskOf, METERS, tokenOf } from '../contract/agent.ts'
import { eventually, expected, numbersById, recordCalls } from '../contract/agent-kit.ts'
import { answerLine } from '../support/relay-line.ts'
import { TinyRelay } from '../support/tiny-relay.ts'

/** Without Background Sync a service worker sends when anything else wakes it: here, its activation and a message. */
const LOAD_MS = 300

let relay: AgentHome['relay']
let outbox: string
let stopAnswering: () => void
let registration: ServiceWorkerRegistration | undefined

beforeEach(() => {
  const desk = deskOf(new TinyRelay())
  relay = desk
  outbox = `wake-${crypto.randomUUID()}`
  stopAnswering = answerLine(`line-${outbox}`, desk.fetch)
})
afterEach(async () => {
  await registration?.unregister()
  stopAnswering()
})

/** Records as a page of the account would that never gets to send. */
async function leaveBehind(account: string, count: number, from = 0): Promise<string[]> {
  const options = { relay: 'https://relay.test', token: () => tokenOf(account), meters: METERS, account, outbox }
  const agent = createAgent(options)
  agent.pause('the page is closed')
  const ids = await recordCalls(agent, count, from)
  await agent.close()
  return ids
}

async function register(more: Record<string, string> = {}): Promise<ServiceWorker> {
  const script = new URL('./worker/sw.ts', import.meta.url)
  script.search = new URLSearchParams({ outbox, ...more }).toString()
  registration = await navigator.serviceWorker.register(script, { type: 'module' })
  const worker = registration.installing ?? registration.waiting ?? registration.active
  if (!worker) throw new Error('No worker.')
  await eventually(() => expect(worker.state).toBe('activated'))
  return worker
}

test('a service worker sends on whatever wakes it, and only what is of the account signed in', async () => {
  const first = await leaveBehind('a', 3)
  await leaveBehind('b', 3, 100)
  const worker = await register()
  await eventually(async () => expect(await numbersById(relay)).toEqual(expected(first)))
  const more = await leaveBehind('a', 2, 3)
  await eventually(async () => {
    worker.postMessage('anything')
    expect(await numbersById(relay)).toEqual(expected([...first, ...more]))
  })
  expect(new Set((await relay.events()).map(({ token }) => token))).toEqual(new Set([tokenOf('a')]))
  expect(await relay.conflicts()).toEqual([])
})

test('and, if it is asked to, when a page is opened', async () => {
  await register({ fetch: 'yes' })
  const ids = await leaveBehind('a', 2)
  await eventually(async () => {
    const page = document.createElement('iframe')
    // In the worker's scope; what is there does not matter.
    page.src = new URL('./worker/nothing.html', import.meta.url).pathname
    document.body.append(page)
    await new Promise((resolve) => setTimeout(resolve, LOAD_MS))
    page.remove()
    expect(await numbersById(relay)).toEqual(expected(ids))
  })
})
