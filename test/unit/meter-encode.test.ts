import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { Meter } from '../../src/meter/contract.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { encodeEvent } from '../../src/meter/encode-event.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { failure, settle } from '../support/fake-clock.ts'

const AT = 1_700_000_000_000
const open: Meter = defineMeter('open', z.any())
const utf8Length = (text: string) => new TextEncoder().encode(text).length
const encode = (data: unknown, { meter = open, at = AT, limit = 65_536 } = {}) =>
  encodeEvent(meter, at, data, { maxEventBytes: limit, utf8Length })
const refusal = (data: unknown, options?: Parameters<typeof encode>[1]) => failure(() => encode(data, options))

/** An object whose nesting is `levels` deep. */
function nested(levels: number): unknown {
  return levels === 1 ? {} : { in: nested(levels - 1) }
}

describe('encodeEvent: the schema', () => {
  test('names the path of every issue, and tells no data', async () => {
    const meter = defineMeter('calls', z.object({ user: z.object({ tags: z.array(z.number()) }), q: z.int() }))
    const error = await refusal({ user: { tags: [1, 'secret-value'] }, q: 1.5 }, { meter })
    expect(error).toBeInstanceOf(MetertapError)
    expect(error.code).toBe('invalid_data')
    expect(error.detail).toMatchObject({ meter: 'calls', issues: [{ path: 'user.tags.1' }, { path: 'q' }] })
    expect(error.message).toMatch(/user\.tags\.1: .*; q: /)
    expect(error.message).not.toContain('secret-value')
  })

  test('calls the whole data by a name, and reads path segments that are objects', async () => {
    const issues = [{ message: 'bad' }, { message: 'worse', path: [{ key: 'a' }, 'b'] }]
    const schema = { '~standard': { version: 1, vendor: 'own', validate: () => ({ issues }) } } as const
    const error = await refusal({}, { meter: defineMeter('calls', schema) })
    expect(error.message).toContain('data: bad; a.b: worse')
  })

  test('lists five issues at most', async () => {
    const meter = defineMeter('calls', z.array(z.number()))
    const error = await refusal(Array(9).fill('x'), { meter })
    expect((error.detail as { issues: unknown[] }).issues).toHaveLength(5)
  })

  test('stores the output, not the input', () => {
    const meter = defineMeter('calls', z.object({ q: z.string().transform(Number), unit: z.string().default('call') }))
    expect(encode({ q: '7', secret: 1 }, { meter })).toBe(`["calls",${AT},{"q":7,"unit":"call"}]`)
  })

  test('is not run where that is the relay’s, which gets the event as it is', async () => {
    const explodes = { '~standard': { version: 1, vendor: 'own', validate: () => expect.unreachable() } } as const
    const meter = defineMeter('calls', explodes as unknown as Meter['schema'])
    const plain = (data: unknown) => encodeEvent(meter, AT, data, { maxEventBytes: 64, utf8Length, validate: 'relay' })
    expect(plain({ q: '7', more: 1 })).toBe(`["calls",${AT},{"q":"7","more":1}]`)
    expect((await failure(() => plain({ q: Number.NaN }))).code).toBe('not_json')
    expect((await failure(() => plain({ constructor: 1 }))).code).toBe('not_json')
    expect((await failure(() => plain('x'.repeat(64)))).code).toBe('event_too_large')
  })

  test('refuses an asynchronous schema', async () => {
    const meter = defineMeter(
      'calls',
      z.any().refine(async () => true),
    )
    expect((await refusal({}, { meter })).code).toBe('async_schema')
  })

  test('an asynchronous schema’s late failure is nobody’s unhandled rejection', async () => {
    const validate = async () => {
      throw new Error('late')
    }
    const meter = defineMeter('calls', { '~standard': { version: 1, vendor: 'own', validate } })
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    expect((await refusal({}, { meter })).code).toBe('async_schema')
    await settle()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('knows a promise of another realm', async () => {
    const foreign = runInNewContext('Promise.resolve({ value: 1 })') as Promise<{ value: unknown }>
    const schema = { '~standard': { version: 1, vendor: 'own', validate: () => foreign } } as const
    expect((await refusal({}, { meter: defineMeter('calls', schema) })).code).toBe('async_schema')
  })

  test('lets a schema’s own exception through', async () => {
    const validate = () => {
      throw new RangeError('own')
    }
    const meter = defineMeter('calls', { '~standard': { version: 1, vendor: 'own', validate } })
    expect(await refusal({}, { meter })).toBeInstanceOf(RangeError)
  })
})

describe('encodeEvent: what JSON cannot hold', () => {
  const cycle: Record<string, unknown> = { a: [] }
  ;(cycle.a as unknown[]).push(cycle)
  class Price {
    amount = 1
  }
  test.each<[string, unknown, string]>([
    ['a BigInt', { a: 1n }, 'data.a'],
    ['NaN', { a: { b: Number.NaN } }, 'data.a.b'],
    ['Infinity', [1, Number.POSITIVE_INFINITY], 'data[1]'],
    ['-Infinity', Number.NEGATIVE_INFINITY, 'data'],
    ['a Map', { a: new Map() }, 'data.a'],
    ['a Set', { a: new Set([1]) }, 'data.a'],
    ['a typed array', { a: new Uint8Array(2) }, 'data.a'],
    ['a class instance', { a: new Price() }, 'data.a'],
    ['a boxed number', { a: Object(1) }, 'data.a'],
    ['a function', { a: () => 1 }, 'data.a'],
    ['a symbol', { a: Symbol('x') }, 'data.a'],
    ['undefined itself', undefined, 'data'],
    ['undefined in an array', { a: [undefined] }, 'data.a[0]'],
    ['a hole in an array', { a: Array(1) }, 'data.a[0]'],
    ['an invalid Date', { a: new Date(Number.NaN) }, 'data.a'],
    ['a toJSON that gives NaN', { a: { toJSON: () => Number.NaN } }, 'data.a'],
    ['a toJSON that gives undefined', { a: { toJSON: () => undefined } }, 'data.a'],
    ['a toJSON on an array', { a: Object.assign([1], { toJSON: () => 1n }) }, 'data.a'],
    ['a cycle', cycle, 'data.a[0]'],
    ['33 levels', nested(33), 'data.in'],
    ['a key __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'data.a'],
    ['a key constructor', { a: { constructor: 1 } }, 'data.a'],
    ['a key prototype', { prototype: 1 }, 'data'],
  ])('refuses %s and says where', async (_, data, path) => {
    const error = await refusal(data)
    expect(error.code).toBe('not_json')
    expect((error.detail as { path: string }).path.startsWith(path)).toBe(true)
    expect(error.message).toContain('"open"')
  })

  test.each<[string, unknown, string]>([
    ['a Date', { a: new Date(0) }, '{"a":"1970-01-01T00:00:00.000Z"}'],
    ['null', null, 'null'],
    ['a field that is undefined', { a: undefined, b: 1 }, '{"b":1}'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['a toJSON', { a: { toJSON: () => ({ b: [1] }) } }, '{"a":{"b":[1]}}'],
    ['32 levels', nested(32), `${'{"in":'.repeat(31)}{}${'}'.repeat(31)}`],
    ['the same object twice', ((o) => [o, o])({ a: 1 }), '[{"a":1},{"a":1}]'],
  ])('takes %s', (_, data, text) => {
    expect(encode(data)).toBe(`["open",${AT},${text}]`)
  })

  test('whatever it takes comes back from JSON as it went in', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (data) => {
        fc.pre(!/"(__proto__|constructor|prototype)"/.test(JSON.stringify(data)))
        expect(JSON.parse(encode(data))).toEqual(JSON.parse(JSON.stringify(['open', AT, data])))
      }),
    )
  })

  test.each([
    [
      'a getter',
      {
        get a() {
          throw new TypeError('own')
        },
      },
    ],
    [
      'a toJSON',
      {
        toJSON() {
          throw new TypeError('own')
        },
      },
    ],
  ])('lets the exception of %s through', async (_, data) => {
    expect(await refusal(data)).toBeInstanceOf(TypeError)
  })
})

describe('encodeEvent: time', () => {
  test.each([Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, 8_640_000_000_000_001])('refuses %s', async (at) => {
    expect((await refusal({}, { at })).code).toBe('bad_time')
  })

  test.each([0, 8_640_000_000_000_000])('takes %s', (at) => {
    expect(encode({}, { at })).toBe(`["open",${at},{}]`)
  })
})

describe('encodeEvent: size', () => {
  test('counts UTF-8 bytes: exactly the limit is taken, one more is not', async () => {
    const text = '💶€é'.repeat(20)
    const bytes = utf8Length(JSON.stringify(['open', AT, text]))
    expect(bytes).toBeGreaterThan(JSON.stringify(['open', AT, text]).length)
    expect(utf8Length(encode(text, { limit: bytes }))).toBe(bytes)
    const error = await refusal(text, { limit: bytes - 1 })
    expect(error.code).toBe('event_too_large')
    expect(error.detail).toEqual({ meter: 'open', bytes, maxEventBytes: bytes - 1 })
    expect(error.message).toContain(String(bytes))
  })

  test('does not count the bytes of what is surely small enough', () => {
    const count = () => {
      throw new Error('counted')
    }
    expect(encodeEvent(open, AT, { a: 1 }, { maxEventBytes: 65_536, utf8Length: count })).toContain('"a":1')
  })
})
