import { brotliCompressSync, gzipSync } from 'node:zlib'
import { encodeBatch } from '../../src/wire/encode-batch.ts'
import type { Shape } from './shapes.ts'

/** As CompressionStream packs. */
const GZIP = { level: 6 }
const STREAM = '018f0000-0000-7000-8000-000000000001'
const DEVICE = '018f0000-0000-7000-8000-000000000002'

/** Bytes an event of what crosses the wire, or would. */
export interface WireBytes {
  readonly plain: number
  /** All events as one JSON text, packed at once: nobody could send less often. */
  readonly plainGzip: number
  readonly plainBrotli: number
  readonly metertap: number
}

/** The shape's events in metertap's requests, of so many events each, packed. */
function metertapBodies({ meter, events }: Shape, batchEvents: number): Buffer[] {
  const texts = events.map(({ atMs, data }) => JSON.stringify([meter, atMs, data]))
  const bodies: Buffer[] = []
  for (let first = 0; first < texts.length; first += batchEvents) {
    const body = texts.slice(first, first + batchEvents).join()
    const reports = [{ id: STREAM, recorded: texts.length, dropped: {} }]
    const segments = [{ stream: STREAM, first, body }]
    bodies.push(gzipSync(encodeBatch({ sentAtMs: 1_772_352_000_000, device: DEVICE, reports, segments }), GZIP))
  }
  return bodies
}

const sum = (bodies: readonly Buffer[]): number => bodies.reduce((bytes, body) => bytes + body.length, 0)

/** Plain data hold the same facts, the time among them as ISO 8601, and nothing by which a double could be told. */
function plainText({ events }: Shape): string {
  return JSON.stringify(events.map(({ atMs, data }) => ({ at: new Date(atMs).toISOString(), ...data })))
}

export function wireBytes(shape: Shape, batchEvents: number): WireBytes {
  const count = shape.events.length
  const plain = plainText(shape)
  return {
    plain: Buffer.byteLength(plain) / count,
    plainGzip: gzipSync(plain, GZIP).length / count,
    plainBrotli: brotliCompressSync(plain).length / count,
    metertap: sum(metertapBodies(shape, batchEvents)) / count,
  }
}
