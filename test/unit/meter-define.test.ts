import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { failure } from '../support/fake-clock.ts'

const schema = z.object({ quantity: z.number() })

describe('defineMeter', () => {
  test('keeps name, schema and options, frozen', () => {
    const meter = defineMeter('api_calls', schema, { durability: 'power' })
    expect(meter).toMatchObject({ name: 'api_calls', options: { durability: 'power' } })
    expect(meter.schema).toBe(schema)
    expect(Object.isFrozen(meter) && Object.isFrozen(meter.options)).toBe(true)
  })

  test.each(['a', 'A.b-c_9', `a${'x'.repeat(63)}`])('takes the name %s', (name) => {
    expect(defineMeter(name, schema).name).toBe(name)
  })

  test.each(['', '9lives', '_x', 'a b', 'a/b', 'ä', `a${'x'.repeat(64)}`, '__proto__', 'a\n'])(
    'refuses the name %j',
    async (name) => {
      const error = await failure(() => defineMeter(name, schema))
      expect(error).toBeInstanceOf(MetertapError)
      expect(error.code).toBe('bad_option')
      expect(error.message).toContain(JSON.stringify(name))
    },
  )

  test.each([undefined, null, {}, { parse: () => 1 }, { '~standard': {} }])('refuses %j as a schema', async (bad) => {
    const error = await failure(() => defineMeter('calls', bad as never))
    expect(error.code).toBe('bad_option')
    expect(error.message).toContain('Standard Schema')
  })

  test('takes a schema that is a function, as arktype makes them', () => {
    const callable = Object.assign(() => {}, { '~standard': schema['~standard'] })
    expect(defineMeter('calls', callable as never).schema).toBe(callable)
  })

  test('refuses a durability that would do nothing', async () => {
    const error = await failure(() => defineMeter('calls', schema, { durability: 'strict' as never }))
    expect(error.code).toBe('bad_option')
    expect(error.message).toContain('durability')
  })
})

describe('defineMeter: aggregate', () => {
  test.each([1_000, 60_000, 86_400_000])('takes windows of %i ms', (windowMs) => {
    const aggregate = { windowMs, sum: ['quantity'], by: ['feature'] }
    expect(defineMeter('calls', schema, { aggregate }).options.aggregate).toEqual(aggregate)
  })

  test.each([
    [{ windowMs: 999, sum: ['n'] }, 'windowMs'],
    [{ windowMs: 86_400_001, sum: ['n'] }, 'windowMs'],
    [{ windowMs: 1_000.5, sum: ['n'] }, 'windowMs'],
    [{ windowMs: 60_000, sum: [] }, 'sum'],
    [{ windowMs: 60_000, sum: 'n' }, 'sum'],
    [{ windowMs: 60_000, sum: ['n'], by: 'feature' }, 'by'],
    [{ windowMs: 60_000, sum: ['n'], by: [7] }, 'field names'],
    [{ windowMs: 60_000, sum: ['n'], by: ['n'] }, 'twice'],
    [true, 'windowMs'],
  ])('refuses %j', async (aggregate, what) => {
    const error = await failure(() => defineMeter('calls', schema, { aggregate: aggregate as never }))
    expect(error.code).toBe('bad_option')
    expect(error.message).toContain(what)
  })
})
