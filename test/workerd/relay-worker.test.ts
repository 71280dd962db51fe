import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { createKeys } from '../../src/relay/edge/keys.ts'
import { defineMeter, defineRelayWorker, type RelayWorkerOptions } from '../../src/relay-worker.ts'
import { roomOf } from './support/room.ts'

const calls = defineMeter('calls', z.object({ quantity: z.int() }))
const options: RelayWorkerOptions = {
  publicUrl: 'https://usage.example.com',
  meters: [{ meter: calls, upstream: { meterGlobalId: 'calls', fields: { Id: 'id' } } }],
  upstream: { restBase: 'https://rest.zuora.com' },
  grants: [{ keyId: 'app' }],
  origins: [],
}
const secrets = {
  METERTAP_ZUORA_CLIENT_ID: 'id',
  METERTAP_ZUORA_CLIENT_SECRET: 'client-secret',
  METERTAP_GRANT_SECRET_APP: 'grant-secret-of-thirty-two-bytes-or-more',
}
const namespace = { idFromName: (name: string) => name, get: () => ({}) }
const objects = { USAGE_SHARD: namespace, USAGE_KEYS: namespace, USAGE_GATE: namespace }

let errors: string[]
beforeEach(() => {
  errors = []
  vi.spyOn(console, 'error').mockImplementation((line: string) => void errors.push(line))
})
afterEach(() => {
  vi.restoreAllMocks()
})

async function ask(given: RelayWorkerOptions, env: object): Promise<{ status: number; code: string }> {
  const context = createExecutionContext()
  const response = await defineRelayWorker(given).worker.fetch(
    new Request('https://usage.example.com/livez'),
    env,
    context,
  )
  await waitOnExecutionContext(context)
  return (await response.json()) as { status: number; code: string }
}

test('of two isolates that are first with different numbers of shards one is refused', async () => {
  const keys = roomOf((storage) => createKeys(storage, () => 0))
  const [a, b] = await Promise.all([keys.fixShards(2), keys.fixShards(4)])
  expect(a).toBe(b)
  expect(await keys.fixShards(8)).toBe(a)
})

test('a cron trigger wakes every shard', async () => {
  const woken: string[] = []
  const shard = {
    idFromName: (name: string) => name,
    get: (name: unknown) => ({ wake: async () => woken.push(String(name)) }),
  }
  await defineRelayWorker({ ...options, shards: 3 }).worker.scheduled(
    {},
    { ...secrets, ...objects, USAGE_SHARD: shard },
  )
  expect(woken).toEqual(['shard-0', 'shard-1', 'shard-2'])
})

test('a cron trigger reconciles each meter in its turn, and a gate that is gone keeps no shard asleep', async () => {
  const done: string[] = []
  const turns = [true, false]
  const gate = {
    idFromName: (name: string) => name,
    get: () => ({
      async takeTurn(everyMs: number) {
        done.push(`turn of ${everyMs}`)
        return turns.shift()
      },
      async reconcile(meter: string) {
        done.push(meter)
        return { meter, buried: 0, known: 0, unknown: 0, deduplicated: 0 }
      },
    }),
  }
  const shard = { ...namespace, get: (name: unknown) => ({ wake: async () => done.push(String(name)) }) }
  let known = 1
  const keys = { ...namespace, get: () => ({ fixShards: async () => known }) }
  const relay = defineRelayWorker({ ...options, shards: 1, reconcileEveryHours: 6 })
  const run = (of: object) =>
    relay.worker.scheduled({}, { ...secrets, USAGE_SHARD: shard, USAGE_KEYS: keys, USAGE_GATE: of })
  await run(gate)
  expect(done.toSorted()).toEqual(['calls', 'shard-0', 'turn of 21600000'])
  done.length = 0
  await run(gate)
  expect(done.toSorted()).toEqual(['shard-0', 'turn of 21600000'])
  const gone = { ...namespace, get: () => ({ takeTurn: () => Promise.reject(new Error('gone')) }) }
  done.length = 0
  await run(gone)
  expect(done).toEqual(['shard-0'])
  expect(errors.join()).toContain('scheduled_failed')
  // Of another number of shards it would ask the wrong ones.
  known = 2
  done.length = 0
  turns.push(true)
  await run(gate)
  expect(done).toEqual(['shard-0'])
  expect(errors.join()).toContain('begun with 2 shards')
})

test('an isolate that cannot reach the keys says that it is for now, and works when it can', async () => {
  const room = roomOf((storage) => createKeys(storage, () => Date.now()))
  let isGone = true
  const keys = {
    ...namespace,
    get: () => ({
      fixShards: (count: number) => (isGone ? Promise.reject(new Error('gone')) : room.fixShards(count)),
      readSecret: room.readSecret,
      keepSecret: room.keepSecret,
      swapSecret: room.swapSecret,
    }),
  }
  const { worker } = defineRelayWorker(options)
  const env = { ...secrets, ...objects, USAGE_KEYS: keys }
  const live = async (): Promise<Response> => {
    const context = createExecutionContext()
    const response = await worker.fetch(new Request('https://usage.example.com/livez'), env, context)
    await waitOnExecutionContext(context)
    return response
  }
  const away = await live()
  expect(away.headers.get('retry-after')).not.toBeNull()
  expect(await away.json()).toMatchObject({ status: 503, code: 'unavailable' })
  isGone = false
  expect((await live()).status).toBe(200)
})

describe('a Worker that is not set up right', () => {
  test.each(['USAGE_SHARD', 'USAGE_KEYS', 'USAGE_GATE'])(
    'says that the binding %s is missing, and how to add it',
    async (name) => {
      const env = { ...secrets, ...objects, [name]: undefined }
      expect(await ask(options, env)).toMatchObject({ status: 500, code: 'internal' })
      expect(errors.join()).toContain(name)
      expect(errors.join()).toMatch(/bad_option.*durable_objects\.bindings in wrangler\.jsonc.*new_sqlite_classes/)
    },
  )

  test('names every secret that is missing, and prints none', async () => {
    expect(await ask(options, objects)).toMatchObject({ status: 500 })
    for (const name of Object.keys(secrets)) {
      expect(errors.join()).toContain(name === 'METERTAP_GRANT_SECRET_APP' ? 'METERTAP_GRANT_SECRET_' : name)
    }
    await ask(options, { ...objects, ...secrets, METERTAP_GRANT_SECRET_APP: 'too-short-a-secret' })
    expect(errors.join()).toContain('grants[0].secret does not fit')
    expect(errors.join()).not.toContain('too-short-a-secret')
  })

  test.each([
    [{ shards: 0 }, 'shards'],
    [{ shards: 129 }, 'shards'],
    [{ lingerMs: -1 }, 'lingerMs'],
    [{ limits: { maxEventBytes: 2 ** 21 } }, 'limits.maxEventBytes'],
    [{ store: { sqlite: 'x.db' } }, 'store'],
    [{ listen: { port: 1 } }, 'listen'],
  ])('says what does not fit in %j', async (more, name) => {
    expect(await ask({ ...options, ...more } as RelayWorkerOptions, { ...secrets, ...objects })).toMatchObject({
      status: 500,
    })
    expect(errors.join()).toContain(name)
  })
})
