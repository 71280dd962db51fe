import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type AgentOptions, readOptions } from '../../src/agent/options.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { failure } from '../support/fake-clock.ts'

const calls = defineMeter('calls', z.object({ n: z.number() }))
const good: AgentOptions = { relay: 'https://usage.acme.com', token: () => 'token', meters: [calls] }
const read = (change: object) => readOptions({ ...good, ...change } as AgentOptions)

describe('readOptions', () => {
  test('fills in every default, also for what is given as undefined', () => {
    const { token, meters, ...rest } = read({ flushEvents: undefined, account: undefined })
    expect(token).toBe(good.token)
    expect([...meters]).toEqual([['calls', calls]])
    expect(rest).toEqual({
      relay: 'https://usage.acme.com',
      account: '',
      outbox: 'metertap',
      durability: 'process',
      validate: 'record',
      flushIntervalMs: 5_000,
      flushEvents: 1_000,
      flushBytes: 262_144,
      maxBatchEvents: 2_000,
      maxBatchBytes: 524_288,
      maxEventBytes: 65_536,
      requestTimeoutMs: 30_000,
      maxOutboxBytes: 104_857_600,
      overflow: 'reject-new',
    })
  })

  test('keeps what is given', () => {
    expect(read({ flushEvents: 7, durability: 'power', account: 'a', outbox: 'o' })).toMatchObject({
      flushEvents: 7,
      durability: 'power',
      account: 'a',
      outbox: 'o',
    })
  })

  test.each([
    ['https://usage.acme.com/', 'https://usage.acme.com'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['https://acme.com/usage//', 'https://acme.com/usage'],
  ])('takes the relay %s as %s', (given, relay) => {
    expect(read({ relay: given }).relay).toBe(relay)
  })

  test.each<[string, object]>([
    ['relay', { relay: undefined }],
    ['relay', { relay: 'usage.acme.com' }],
    ['relay', { relay: '/usage' }],
    ['relay', { relay: 'ftp://acme.com' }],
    ['relay', { relay: 'javascript:alert(1)' }],
    ['relay', { relay: 'https://user@acme.com' }],
    ['relay', { relay: 'https://:secret@acme.com' }],
    ['relay', { relay: 'https://acme.com?key=1' }],
    ['relay', { relay: 'https://acme.com#x' }],
    ['token', { token: 'eyJ-a-token' }],
    ['token', { token: undefined }],
    ['meters', { meters: undefined }],
    ['meters', { meters: [] }],
    ['meters', { meters: [undefined] }],
    ['meters', { meters: [{ name: 'calls' }] }],
    ['calls', { meters: [calls, defineMeter('calls', z.any())] }],
    ['account', { account: 7 }],
    ['outbox', { outbox: null }],
    ['durability', { durability: 'strict' }],
    ['validate', { validate: 'never' }],
    ['flushIntervalMs', { flushIntervalMs: 0 }],
    ['flushIntervalMs', { flushIntervalMs: 2 ** 31 }],
    ['flushEvents', { flushEvents: 1.5 }],
    ['flushBytes', { flushBytes: '1000' }],
    ['maxBatchEvents', { maxBatchEvents: -1 }],
    ['maxBatchBytes', { maxBatchBytes: Number.NaN }],
    ['maxEventBytes', { maxEventBytes: Number.POSITIVE_INFINITY }],
    ['requestTimeoutMs', { requestTimeoutMs: null }],
  ])('an error about %s names it: %j', async (name, change) => {
    const error = await failure(() => read(change))
    expect(error).toBeInstanceOf(MetertapError)
    expect(error.code).toBe('bad_option')
    expect(error.message).toContain(name)
    expect(error.message).not.toContain('eyJ')
  })

  test('no options at all is a typed error too', async () => {
    expect((await failure(() => readOptions(undefined as never))).code).toBe('bad_option')
  })
})
