import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inflateBody, readBody } from '../../src/zuora-stand-in/body.ts'
import type { FieldType, MeterOptions } from '../../src/zuora-stand-in/contract.ts'
import { DecimalSum } from '../../src/zuora-stand-in/decimal.ts'
import { createDeduplicator } from '../../src/zuora-stand-in/deduplicator.ts'
import { headerProblem, isTrackId, type TenantHeaders } from '../../src/zuora-stand-in/headers.ts'
import { checkRows, parseBody } from '../../src/zuora-stand-in/ingest.ts'
import { createCallMeterer, createMeterer, createTokenMeterer, limitsOf } from '../../src/zuora-stand-in/limits.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('parseBody', () => {
  test('takes one object or an array of objects', () => {
    expect(parseBody(bytes('{"a":1}'), 10)).toEqual({ rows: [{ a: 1 }] })
    expect(parseBody(bytes('[{"a":1},{"a":2}]'), 10)).toEqual({ rows: [{ a: 1 }, { a: 2 }] })
  })

  test.each(['', '[]', 'null', '3', '"x"', '[1]', '[null]', '[[]]', '[{}', '{"a":1}{"a":2}', '\ufeff{"a":1}'])(
    'refuses %j',
    (text) => {
      expect(parseBody(bytes(text), 10)).toMatchObject({ status: 400 })
    },
  )

  test('refuses bytes that are not UTF-8', () => {
    expect(parseBody(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 10)).toMatchObject({ status: 400 })
  })

  test('takes as many rows as allowed and not one more', () => {
    const body = bytes(JSON.stringify([{}, {}, {}]))
    expect(parseBody(body, 3)).toHaveProperty('rows.length', 3)
    expect(parseBody(body, 2)).toMatchObject({ status: 413 })
  })
})

describe('checkRows', () => {
  const isFine = (type: FieldType, value: unknown): boolean =>
    checkRows([{ f: value }], { id: 'm', fields: { f: { type } } }).length === 0

  test.each<[FieldType, unknown[], unknown[]]>([
    ['string', ['', 'x', '1', 'é', '日本', '\u0000'], [1, true, null, {}, [], '😀', 'a😀', '\ud83d']],
    ['number', [0, -1, 1.5, 1e300], ['1', null, true, [], Number.POSITIVE_INFINITY]],
    ['integer', [0, -1, 2 ** 53 - 1], [1.5, 2 ** 53, '1', null, true]],
    ['boolean', [true, false], ['true', 1, 0, null]],
    [
      'date',
      ['2026-03-31T10:30:00Z', '2024-02-29T23:59:59Z'],
      [
        '2026-03-31T10:30:00.000Z',
        '2026-03-31T10:30:00+00:00',
        '2026-03-31T10:30:00z',
        '2026-03-31 10:30:00Z',
        '2026-03-31T10:30Z',
        '2026-03-31',
        '2026-02-29T00:00:00Z',
        '2026-13-01T00:00:00Z',
        '2026-03-31T24:00:00Z',
        '2026-03-31T10:30:60Z',
        ' 2026-03-31T10:30:00Z',
        '2026-03-31T10:30:00Z\n',
        1_774_953_000_000,
        null,
      ],
    ],
  ])('type %s', (type, good, bad) => {
    expect(good.filter((value) => !isFine(type, value))).toEqual([])
    expect(bad.filter((value) => isFine(type, value))).toEqual([])
  })

  test('a field is required unless it says otherwise', () => {
    const fields: MeterOptions['fields'] = { a: { type: 'string' }, b: { type: 'string', required: false } }
    const check = (row: Record<string, unknown>) => checkRows([row], { id: 'm', fields }).length
    expect(check({ a: 'x' })).toBe(0)
    expect(check({ b: 'x' })).toBe(1)
    expect(check({ a: 'x', b: null })).toBe(1)
  })

  test('unknown fields are refused or accepted, but never with four-byte characters', () => {
    const check = (row: Record<string, unknown>, unknownFields?: 'accept' | 'refuse') =>
      checkRows([row], { id: 'm', fields: {}, ...(unknownFields && { unknownFields }) }).length
    expect(check({ x: 1 })).toBe(1)
    expect(check({ x: 1 }, 'refuse')).toBe(1)
    expect(check({ x: { y: ['z', null, 1] } }, 'accept')).toBe(0)
    expect(check({ x: { y: ['z', { w: '😀' }] } }, 'accept')).toBe(1)
    expect(check({ '😀': 1 }, 'accept')).toBe(1)
    expect(check({ x: { '😀': 1 } }, 'accept')).toBe(1)
  })

  test('deep nesting breaks nothing', () => {
    const depth = 50_000
    const parsed = parseBody(bytes(`{"x":${'['.repeat(depth)}"😀"${']'.repeat(depth)}}`), 1)
    const rows = 'rows' in parsed ? parsed.rows : []
    expect(checkRows(rows, { id: 'm', fields: {}, unknownFields: 'accept' })).toHaveLength(1)
  })

  test('names the rows', () => {
    const fields: MeterOptions['fields'] = { a: { type: 'number' } }
    expect(checkRows([{ a: 1 }, { a: '1' }, { a: 1 }, {}], { id: 'm', fields })).toEqual([
      { index: 1, message: 'a is not of type number.' },
      { index: 3, message: 'a is missing.' },
    ])
  })
})

describe('body', () => {
  async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield bytes(part)
  }

  test('keeps a body up to the cap, and digests all of it either way', async () => {
    const whole = await readBody(chunks('abc', 'def'), 6)
    expect(whole.bytes?.toString()).toBe('abcdef')
    const cut = await readBody(chunks('abc', 'def'), 5)
    expect(cut).toEqual({ wireBytes: 6, sha256: whole.sha256 })
    expect(whole.sha256).toBe('bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721')
  })

  test('counts the inflated bytes, exactly', async () => {
    const gzip = gzipSync('x'.repeat(1_000))
    expect(await inflateBody(gzip, 'gzip', 1_000)).toHaveLength(1_000)
    expect(await inflateBody(gzip, 'gzip', 999)).toMatchObject({ status: 413 })
    expect(await inflateBody(Buffer.alloc(1_000), undefined, 1_000)).toHaveLength(1_000)
    expect(await inflateBody(Buffer.alloc(1_000), 'identity', 999)).toMatchObject({ status: 413 })
  })

  test('stops at the cap when a bomb inflates', async () => {
    expect(await inflateBody(gzipSync(Buffer.alloc(50_000_000)), 'gzip', 1_000)).toMatchObject({ status: 413 })
  })

  test('refuses broken gzip and other encodings', async () => {
    const gzip = gzipSync('hello')
    expect(await inflateBody(gzip.subarray(0, -3), 'gzip', 1_000)).toMatchObject({ status: 400 })
    expect(await inflateBody(Buffer.from('{}'), 'gzip', 1_000)).toMatchObject({ status: 400 })
    expect(await inflateBody(gzip, 'deflate', 1_000)).toMatchObject({ status: 400 })
  })
})

describe('headers', () => {
  test('a track id has 1 to 64 printable ASCII characters without : ; " and apostrophe', () => {
    expect(isTrackId('0190a6f0-0000-7000-8000-000000000000')).toBe(true)
    expect(isTrackId('x'.repeat(64))).toBe(true)
    const allowed = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter(isTrackId)
    expect(allowed.join('')).toBe(
      ' !#$%&()*+,-./0123456789<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~',
    )
    expect(['', 'x'.repeat(65), '2026-03-31T10:30:00Z', 'é'].filter(isTrackId)).toEqual([])
  })

  const problem = (headers: Record<string, string>, tenant: TenantHeaders = {}) =>
    headerProblem((name) => ({ 'content-type': 'application/json', ...headers })[name], tenant)

  test('the content type is JSON', () => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
      expect(problem({ 'content-type': type })).toBeUndefined()
    }
    for (const type of ['', 'text/plain', 'application/json; charset=latin1', 'application/jsonl']) {
      expect(problem({ 'content-type': type })).toMatch(/Content-Type/)
    }
  })

  test('entity ids need Multi-entity, and are required with several entities', () => {
    const id = { 'zuora-entity-ids': 'e1' }
    expect(problem({})).toBeUndefined()
    expect(problem(id)).toMatch(/Multi-entity/)
    expect(problem({}, { entityIds: ['e1'] })).toBeUndefined()
    expect(problem({}, { entityIds: ['e1', 'e2'] })).toMatch(/must name/)
    expect(problem(id, { entityIds: ['e1', 'e2'] })).toBeUndefined()
    expect(problem({ 'zuora-entity-ids': 'e1,e2' }, { entityIds: ['e1', 'e2'] })).toMatch(/no entity/)
  })

  test('org ids need Multi-Org and name orgs of the user', () => {
    expect(problem({ 'zuora-org-ids': 'o1' })).toMatch(/Multi-Org/)
    expect(problem({}, { orgIds: ['o1'] })).toBeUndefined()
    expect(problem({ 'zuora-org-ids': 'o1, o2' }, { orgIds: ['o1', 'o2'] })).toBeUndefined()
    expect(problem({ 'zuora-org-ids': 'o1,o3' }, { orgIds: ['o1', 'o2'] })).toMatch(/cannot reach/)
  })
})

describe('deduplicator', () => {
  test('the first arrival wins until its window ends; later arrivals do not lengthen it', () => {
    const { admit } = createDeduplicator(100)
    expect([admit('a', 0), admit('a', 99), admit('b', 99), admit('a', 100)]).toEqual([true, false, true, true])
    expect([admit('a', 199), admit('b', 199), admit('a', 200)]).toEqual([false, true, true])
  })

  test('values of different types are different, and reset forgets', () => {
    const { admit, reset } = createDeduplicator(100)
    expect([admit(1, 0), admit('1', 0), admit(1, 0)]).toEqual([true, true, false])
    reset()
    expect(admit(1, 0)).toBe(true)
  })
})

describe('decimal sum', () => {
  const sumOf = (values: readonly number[]): string => {
    const sum = new DecimalSum()
    for (const value of values) sum.add(value)
    return sum.toString()
  }

  test.each<[number[], string]>([
    [[], '0'],
    [[0.1, 0.2], '0.3'],
    [[0.1, -0.1], '0'],
    [[-0.25, -0.5], '-0.75'],
    [[1e-7, 1], '1.0000001'],
    [[1e21, 1], '1000000000000000000001'],
    [[1.5e300, -1.5e300, 0.5], '0.5'],
    [[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 1], '18014398509481983'],
    [[-0], '0'],
  ])('%j', (values, expected) => {
    expect(sumOf(values)).toBe(expected)
  })

  test('a million tenths are one hundred thousand', () => {
    expect(sumOf(Array.from({ length: 1_000_000 }, () => 0.1))).toBe('100000')
  })

  test('agrees with BigInt on cents, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (cents) => {
        const total = cents.reduce((sum, value) => sum + BigInt(value), 0n)
        expect(BigInt(Math.round(Number(sumOf(cents.map((value) => value / 100))) * 100))).toBe(total)
      }),
    )
  })

  test('refuses what has no sum', () => {
    expect(() => sumOf([Number.NaN])).toThrow(RangeError)
    expect(() => sumOf([Number.POSITIVE_INFINITY])).toThrow(RangeError)
  })
})

describe('limits', () => {
  test('the documented figures', () => {
    const figures = (['api-sandbox', 'developer-sandbox', 'central-sandbox', 'production'] as const).map((name) => {
      const { payloadBytes, rows, callsPerMinute } = limitsOf(name)
      return [payloadBytes, rows, callsPerMinute]
    })
    expect(figures).toEqual([
      [1_000_000, 1_000, 600],
      [2_000_000, 5_000, 5_000],
      [4_000_000, 10_000, 50_000],
      [4_000_000, 10_000, 50_000],
    ])
    expect(limitsOf('production')).toMatchObject({ callsPerHour: 2_250_000, callsPerDay: 27_000_000 })
    expect(limitsOf('production', { rows: 7 }).rows).toBe(7)
  })

  test('a window refuses beyond its limit, says when it ends, and starts anew', () => {
    let nowMs = 1_000
    const { take } = createMeterer(() => nowMs, [[2, 60_000]])
    expect(take()).toEqual({ allowed: true, limit: 2, remaining: 1, resetS: 60 })
    nowMs += 500
    expect(take()).toMatchObject({ allowed: true, remaining: 0 })
    expect(take()).toEqual({ allowed: false, limit: 2, remaining: 0, resetS: 60 })
    nowMs = 60_999
    expect(take()).toMatchObject({ allowed: false, resetS: 1 })
    nowMs = 61_000
    expect(take()).toMatchObject({ allowed: true, remaining: 1 })
  })

  test('the longest full window decides, and a refused call uses up nothing', () => {
    let nowMs = 0
    const { take } = createCallMeterer(() => nowMs, limitsOf('production', { callsPerMinute: 2, callsPerHour: 3 }))
    expect([take(), take(), take()].map(({ allowed }) => allowed)).toEqual([true, true, false])
    nowMs = 60_000
    expect([take(), take()].map(({ allowed }) => allowed)).toEqual([true, false])
    expect(take().resetS).toBe(3_540)
  })

  test('token requests are limited by address and for the tenant', () => {
    const { take } = createTokenMeterer(
      () => 0,
      limitsOf('production', { tokensPerMinutePerIp: 2, tokensPerMinute: 3 }),
    )
    const taken = ['a', 'a', 'a', 'b', 'b'].map((ip) => take(ip).allowed)
    expect(taken).toEqual([true, true, false, true, false])
  })
})
