import { describe, expect, test } from 'vitest'
import type { FieldSource } from '../../src/relay/contract.ts'
import { createMapper } from '../../src/relay/forward/map-event.ts'
import type { StoredEvent } from '../../src/relay/store/contract.ts'

const stored: StoredEvent = {
  ...{ tenant: 't', account: 'acme', device: 'd1', stream: 's', seq: 7, meter: 'calls' },
  ...{
    atMs: Date.UTC(2026, 2, 31, 10, 30, 0, 999),
    receivedAtMs: 5,
    data: '{"quantity":2,"by":{"user":"é"},"flag":false}',
  },
}

function mapOne(source: FieldSource, parts: Partial<StoredEvent> = {}) {
  const mapped = createMapper({ F: source })({ ...stored, ...parts })
  return 'row' in mapped ? JSON.parse(mapped.row).F : mapped
}

describe('createMapper', () => {
  test('makes a row of every kind of source, in the configured order', () => {
    const map = createMapper({
      ...{ Id: 'id', Customer: 'account', Device: 'device', Meter: 'meter', Stream: 'stream', Seq: 'seq', At: 'at' },
      ...{ Quantity: 'data.quantity', User: 'data.by.user', Flag: 'data.flag' },
      Double: ({ data }) => (data as { quantity: number }).quantity * 2,
    })
    expect(map(stored)).toEqual({
      row:
        '{"Id":"s-7","Customer":"acme","Device":"d1","Meter":"calls","Stream":"s","Seq":7,"At":"2026-03-31T10:30:00Z",' +
        '"Quantity":2,"User":"é","Flag":false,"Double":4}',
    })
  })

  test('a function gets the parsed event and may give a Date', () => {
    expect(mapOne(({ id, atMs }) => `${id}/${atMs}`)).toBe(`s-7/${stored.atMs}`)
    expect(mapOne(() => new Date(0))).toBe('1970-01-01T00:00:00Z')
  })

  test.each<[string, FieldSource, Partial<StoredEvent>, string]>([
    ['an absent field', 'data.nothing', {}, 'missing_field'],
    ['a path through a number', 'data.quantity.x', {}, 'missing_field'],
    ['an inherited property', 'data.constructor', {}, 'missing_field'],
    ['null', 'data.x', { data: '{"x":null}' }, 'missing_field'],
    ['an emoji', 'data.x', { data: '{"x":"ok 😀"}' }, 'unsupported_text'],
    ['half a surrogate pair', 'data.x', { data: '{"x":"\\ud83d"}' }, 'unsupported_text'],
    ['an emoji in the account', 'account', { account: '😀' }, 'unsupported_text'],
    ['a number beyond the finite', 'data.x', { data: '{"x":1e999}' }, 'unsupported_number'],
    ['NaN', () => Number.NaN, {}, 'unsupported_number'],
    ['an object', 'data.by', {}, 'unsupported_value'],
    ['a list', 'data.x', { data: '{"x":[1]}' }, 'unsupported_value'],
    ['a bigint', () => 1n, {}, 'unsupported_value'],
    ['a time out of range', 'at', { atMs: 9e15 }, 'bad_time'],
    ['a year of five digits', 'at', { atMs: Date.UTC(10_000, 0) }, 'bad_time'],
    ['data that is no JSON', 'id', { data: '{' }, 'bad_data'],
  ])('refuses %s', (_, source, parts, code) => {
    expect(mapOne(source, parts)).toMatchObject({ code })
  })

  test('says which field and why, and never quotes the event', () => {
    const throwing = () => {
      throw new Error('secret value 42')
    }
    expect(mapOne(throwing)).toEqual({
      code: 'mapping_failed',
      detail: 'Field "F" (a function) threw an error: see the relay\'s configuration.',
    })
    const emoji = mapOne('data.x', { data: '{"x":"private 😀"}' })
    expect(emoji.detail).toContain('"F" (data.x)')
    expect(emoji.detail).not.toContain('private')
  })
})
