import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exitBatch, wireBatch } from '../../src/wire/contract.ts'
import { encodeBatch } from '../../src/wire/encode-batch.ts'
import { createGzip } from '../../src/wire/gzip.ts'

const STREAM = '018f0000-0000-7000-8000-000000000001'
const report = { id: STREAM, recorded: 3, dropped: { purged: 1 }, refused: { not_json: 2 } }

describe('encodeBatch', () => {
  test('is a batch of this protocol, whatever is in it', () => {
    const parts = fc.record({
      sentAtMs: fc.nat(),
      device: fc.string({ unit: 'binary', maxLength: 100 }),
      events: fc.array(fc.tuple(fc.string(), fc.nat(), fc.jsonValue()), { minLength: 1, maxLength: 5 }),
    })
    fc.assert(
      fc.property(parts, ({ sentAtMs, device, events }) => {
        const body = events.map((event) => JSON.stringify(event)).join()
        const segments = [
          { stream: STREAM, first: 0, body },
          { stream: STREAM, first: 9, body },
        ]
        const batch = wireBatch.parse(JSON.parse(encodeBatch({ sentAtMs, device, reports: [report], segments })))
        const parsed = JSON.parse(`[${body}]`)
        expect(batch).toEqual({
          v: 1,
          sentAt: sentAtMs,
          device,
          streams: [report],
          segments: [
            { stream: STREAM, first: 0, events: parsed },
            { stream: STREAM, first: 9, events: parsed },
          ],
        })
      }),
    )
  })

  test('carries the events’ text as it stands', () => {
    const body = '["a",1,{ "n" : 1.0 , "s":"\\u00e9,]"}],["a",2,{"n":1e2}]'
    const text = encodeBatch({
      sentAtMs: 1,
      device: 'd',
      reports: [],
      segments: [{ stream: STREAM, first: 0, body }],
    })
    expect(text).toContain(`"events":[${body}]`)
  })

  test('takes a batch without segments', () => {
    const text = encodeBatch({ sentAtMs: 1, device: 'd', reports: [report], segments: [] })
    expect(wireBatch.parse(JSON.parse(text)).segments).toEqual([])
  })

  test('holds a token only when one is given', () => {
    const parts = { sentAtMs: 1, device: 'd', reports: [], segments: [] }
    expect(encodeBatch(parts)).not.toContain('token')
    expect(exitBatch.parse(JSON.parse(encodeBatch(parts, 'a"b\\c'))).token).toBe('a"b\\c')
  })
})

describe('createGzip', () => {
  const gzip = createGzip(CompressionStream, Response)

  test.each(['', 'a', 'é€💶'.repeat(50_000), `a${'💶'.repeat(50_000)}`, 'x'.repeat(100_001)])(
    'packs %# so that any gunzip gives it back',
    async (text) => {
      const packed = await gzip(text)
      expect(gunzipSync(packed).toString('utf8')).toBe(text)
      if (text.length > 1_000) expect(packed.length).toBeLessThan(text.length / 10)
    },
  )

  test('rejects what a broken compressor made', async () => {
    class Broken extends TransformStream<Uint8Array, Uint8Array> {}
    const broken = createGzip(Broken as unknown as typeof CompressionStream, Response)
    await expect(broken('some text')).rejects.toThrow()
  })
})
