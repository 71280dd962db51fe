import { gzipSync } from 'node:zlib'
import type { Answer } from './error-bodies.ts'
import { type HeaderReader, isTrackId } from './headers.ts'

/** Answers with more bytes come compressed where the client accepts it. */
const MAX_PLAIN_BYTES = 1_000

export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer>
}

/** Adds what every answer carries: the echoed track id, and compression over 1,000 bytes. */
export function toWire(answer: Answer, header: HeaderReader): WireAnswer {
  const trackId = header('zuora-track-id')
  const headers: Record<string, string> = { ...answer.headers }
  if (trackId !== undefined && isTrackId(trackId)) headers['zuora-track-id'] = trackId
  const body = new Uint8Array(Buffer.from(answer.text, 'utf8'))
  if (body.byteLength <= MAX_PLAIN_BYTES || !acceptsGzip(header('accept-encoding'))) {
    return { status: answer.status, headers, body }
  }
  headers['content-encoding'] = 'gzip'
  headers.vary = 'accept-encoding'
  return { status: answer.status, headers, body: new Uint8Array(gzipSync(body)) }
}

function acceptsGzip(value = ''): boolean {
  return value.split(',').some((part) => /^\s*(gzip|\*)\s*(;\s*q=(1|0?\.\d*[1-9])\d*)?\s*$/i.test(part))
}
