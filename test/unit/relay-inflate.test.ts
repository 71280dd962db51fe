import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { inflateNode } from '../../src/relay/http/inflate-node.ts'
import { createWebInflate } from '../../src/relay/http/inflate-web.ts'
import { withBody } from '../../src/relay/http/read-body.ts'
import { createShares } from '../../src/relay/limits/budget.ts'

const MIB = 2 ** 20

describe.each([
  ['zlib', inflateNode],
  ['DecompressionStream', createWebInflate(DecompressionStream)],
] as const)('a body read by %s', (_, inflate) => {
  const shares = createShares(64 * MIB, 16 * MIB)
  const caps = {
    ...{ maxWireBytes: MIB, maxBodyBytes: 8 * MIB, maxInflateRatio: 200, timeoutMs: 5_000 },
    ...{ open: shares.of('acme'), inflate },
  }

  /** What became of a body: its bytes, or the problem's code. */
  async function read(body: Uint8Array | ReadableStream<Uint8Array>, more: Partial<typeof caps> = {}) {
    const request = new Request('https://usage.example.com/v1/events', {
      ...{ method: 'POST', headers: { 'Content-Encoding': 'gzip' }, body: body as BodyInit, duplex: 'half' },
    } as RequestInit)
    const result = await withBody(request, { ...caps, ...more }, async ({ bytes }) => bytes.slice()).catch(
      (error: { code?: string }) => error.code ?? error,
    )
    expect(shares.used()).toBe(0)
    return result
  }

  test('arrives whole, in one piece or in many', async () => {
    const plain = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919 + (i >> 3)) % 251)
    const packed = gzipSync(plain)
    expect(await read(packed)).toEqual(plain)
    expect(await read(inPieces(packed, 977))).toEqual(plain)
    expect(await read(gzipSync(new Uint8Array(0)))).toEqual(new Uint8Array(0))
    const large = new Uint8Array(randomBytes(300_000))
    expect(await read(gzipSync(large))).toEqual(large)
    expect(await read(inPieces(gzipSync(large), 40_000))).toEqual(large)
    const long = new Uint8Array(3 * MIB).map((_, i) => (i >> 5) % 251)
    expect(await read(gzipSync(long), { maxInflateRatio: 2_000 })).toEqual(long)
  })

  test('that is no whole gzip stream is refused', async () => {
    const packed = gzipSync(new Uint8Array(10_000).map((_, i) => i % 200))
    const spoilt = packed.slice()
    spoilt[spoilt.length - 6] = (spoilt[spoilt.length - 6] as number) ^ 1
    for (const body of [packed.subarray(0, -9), spoilt, new Uint8Array(0), new TextEncoder().encode('{"v":1}')]) {
      expect(await read(body)).toBe('not_gzip')
    }
  })

  test('meets the caps: on the wire, inflated, by its ratio, and its share of memory', async () => {
    const random = crypto.getRandomValues(new Uint8Array(60_000))
    expect(await read(gzipSync(random), { maxWireBytes: 50_000 })).toBe('body_too_large')
    expect(await read(inPieces(gzipSync(random), 1_000), { maxWireBytes: 50_000 })).toBe('body_too_large')
    expect(await read(gzipSync(random), { maxBodyBytes: 59_999 })).toBe('inflated_too_large')
    expect(await read(gzipSync(new Uint8Array(6 * MIB)))).toBe('ratio_too_high')
    const zeros = gzipSync(new Uint8Array(64 * MIB))
    expect(await read(zeros, { maxInflateRatio: 2_000 })).toBe('inflated_too_large')
    expect(await read(gzipSync(random), { open: createShares(MIB, 30_000).of('acme') })).toBe('rate_limited')
  })

  test('counts against its share while it waits for its rest', async () => {
    const packed = gzipSync(randomBytes(50_000))
    const half = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(packed.slice(0, 9_000)) })
    expect(await read(half, { open: createShares(MIB, 5_000).of('acme'), timeoutMs: 500 })).toBe('rate_limited')
  })

  test('that comes too slowly or breaks off is given up', async () => {
    const packed = gzipSync(crypto.getRandomValues(new Uint8Array(50_000)))
    const slow = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(packed.slice(0, 9_000)) })
    expect(await read(slow, { timeoutMs: 50 })).toBe('body_timeout')
    let pulls = 0
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(packed.slice(0, 9_000))
        else controller.error(new Error('reset'))
      },
    })
    expect(await read(broken)).toBe('unavailable')
  })
})

function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.slice(at, at + size))
      at += size
    },
  })
}
