import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BuildOptions, buildDelivery } from '../../src/relay/forward/build-delivery.ts'
import { CALL_LIMITS } from '../../src/relay/forward/call-limits.ts'
import type { StoredEvent } from '../../src/relay/store/contract.ts'

const event = (data: string, seq = 0): StoredEvent => ({
  ...{ tenant: 't', account: 'a', device: 'd', stream: 's', seq, meter: 'm', atMs: 0, receivedAtMs: 0, data },
})
/** The row is the event's data; 'bad' cannot be mapped. */
const options = (maxBytes: number, maxRows = 100, learnedMaxBytes = maxBytes): BuildOptions => ({
  map: ({ data }) => (data === 'bad' ? { code: 'bad_data', detail: 'no' } : { row: data }),
  gzip: gzipSync,
  limits: { maxBytes, maxRows },
  learnedMaxBytes,
})
const textOf = (body: Uint8Array): string => gunzipSync(body).toString()

describe('buildDelivery', () => {
  test('joins rows into one JSON array and counts its bytes before compression', () => {
    const draft = buildDelivery([event('{"a":"é"}'), event('2')], options(1_000))
    expect(textOf(draft.body)).toBe('[{"a":"é"},2]')
    expect(draft).toMatchObject({ taken: 2, rows: 2, bytes: 14, unmappable: [] })
  })

  test('stops at the last byte and at the last row', () => {
    const rows = ['"aa"', '"bb"', '"cc"'].map((data) => event(data))
    expect(buildDelivery(rows, options(11))).toMatchObject({ taken: 2, rows: 2, bytes: 11 })
    expect(buildDelivery(rows, options(10))).toMatchObject({ taken: 1, rows: 1, bytes: 6 })
    expect(buildDelivery(rows, options(1_000, 2))).toMatchObject({ taken: 2, rows: 2 })
  })

  test('names what cannot be mapped and what is too large alone, by index', () => {
    const draft = buildDelivery([event('bad'), event('"toolarge"'), event('1'), event('bad'), event('2')], options(8))
    expect(textOf(draft.body)).toBe('[1,2]')
    expect(draft.unmappable.map(({ index, code }) => [index, code])).toEqual([
      [0, 'bad_data'],
      [1, 'too_large'],
      [3, 'bad_data'],
    ])
    expect(draft).toMatchObject({ taken: 5, rows: 2 })
    expect(buildDelivery([event('bad')], options(8))).toMatchObject({
      taken: 1,
      rows: 0,
      bytes: 0,
      body: new Uint8Array(0),
    })
  })

  test('a learned limit makes deliveries smaller, but never an event too large', () => {
    const rows = [event('"a long row"'), event('1'), event('2')]
    expect(buildDelivery(rows, options(1_000, 100, 6))).toMatchObject({ taken: 1, rows: 1, unmappable: [] })
    expect(buildDelivery(rows.slice(1), options(1_000, 100, 6))).toMatchObject({ taken: 2, rows: 2, bytes: 5 })
  })

  test('for any rows: within the limits, in order, none left out, the same bytes again', () => {
    const data = fc.oneof(
      fc.string().map((text) => JSON.stringify(text)),
      fc.constant('bad'),
    )
    const limits = fc.record({ maxBytes: fc.integer({ min: 3, max: 200 }), maxRows: fc.integer({ min: 1, max: 8 }) })
    fc.assert(
      fc.property(fc.array(data, { minLength: 1, maxLength: 30 }), limits, (list, { maxBytes, maxRows }) => {
        const build = options(maxBytes, maxRows, Math.ceil(maxBytes / 2))
        const out: string[] = []
        for (let at = 0; at < list.length; ) {
          const rest = list.slice(at).map((text) => event(text))
          const draft = buildDelivery(rest, build)
          expect(buildDelivery(rest, build)).toEqual(draft)
          expect(draft.taken).toBeGreaterThan(0)
          expect(draft.rows).toBeLessThanOrEqual(maxRows)
          expect(draft.bytes).toBeLessThanOrEqual(maxBytes)
          const rows = draft.rows > 0 ? JSON.parse(textOf(draft.body)) : []
          if (draft.rows > 0) expect(Buffer.byteLength(textOf(draft.body))).toBe(draft.bytes)
          expect(rows).toHaveLength(draft.rows)
          const dead = new Set(draft.unmappable.map(({ index }) => index))
          for (let i = 0; i < draft.taken; i++) out.push(dead.has(i) ? 'dead' : JSON.stringify(rows.shift()))
          for (const { index, code } of draft.unmappable) {
            const isTooLarge = Buffer.byteLength(list[at + index] as string) + 2 > maxBytes
            expect(code).toBe(list[at + index] === 'bad' ? 'bad_data' : isTooLarge ? 'too_large' : 'wrong')
          }
          at += draft.taken
        }
        expect(out).toHaveLength(list.length)
        for (const [i, text] of out.entries())
          if (text !== 'dead') expect(text).toBe(JSON.stringify(JSON.parse(list[i] as string)))
      }),
    )
  })

  test('the limits stay under the documented ones', () => {
    expect(CALL_LIMITS['api-sandbox']).toMatchObject({ maxBytes: 900_000, maxRows: 1_000 })
    expect(CALL_LIMITS['developer-sandbox']).toMatchObject({ maxBytes: 1_800_000, maxRows: 5_000 })
    expect(CALL_LIMITS['central-sandbox']).toMatchObject({ maxBytes: 3_600_000, maxRows: 10_000 })
    expect(CALL_LIMITS.production).toMatchObject({ maxBytes: 3_600_000, maxRows: 10_000 })
  })
})
