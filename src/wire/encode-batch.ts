import type { StreamReport, WireClock } from './contract.ts'
import { WIRE_VERSION } from './version.ts'

/** A segment whose events are already JSON, joined by commas. */
export interface EncodedSegment {
  readonly stream: string
  readonly first: number
  readonly body: string
}

export interface BatchParts {
  readonly sentAtMs: number
  readonly device: string
  readonly reports: readonly StreamReport[]
  readonly segments: readonly EncodedSegment[]
  readonly clock?: WireClock | undefined
}

function encodeSegment({ stream, first, body }: EncodedSegment): string {
  return `{"stream":${JSON.stringify(stream)},"first":${first},"events":[${body}]}`
}

/**
 * The JSON text of a batch (version 1). Event texts are joined as they stand: nothing is parsed or made again,
 * so a retry carries every event byte for byte.
 */
export function encodeBatch(parts: BatchParts, token?: string): string {
  const { sentAtMs, device, reports, segments, clock } = parts
  const start = `{"v":${WIRE_VERSION},"sentAt":${sentAtMs},"device":${JSON.stringify(device)}`
  const secret = token === undefined ? '' : `,"token":${JSON.stringify(token)}`
  const evidence = clock === undefined ? '' : `,"clock":${JSON.stringify(clock)}`
  return `${start}${secret}${evidence},"streams":${JSON.stringify(reports)},"segments":[${segments.map(encodeSegment).join()}]}`
}
