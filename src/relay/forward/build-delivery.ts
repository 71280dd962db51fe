import type { DeliveryDraft, StoredEvent } from '../store/contract.ts'
import type { CallLimits } from './call-limits.ts'
import type { Mapped } from './map-event.ts'

export interface BuildOptions {
  readonly map: (event: StoredEvent) => Mapped
  readonly gzip: (bytes: Uint8Array) => Uint8Array
  readonly limits: Pick<CallLimits, 'maxBytes' | 'maxRows'>
  /** What the upstream was seen to take, at most limits.maxBytes. A first row may pass it: alone it can be no smaller. */
  readonly learnedMaxBytes: number
}

const OPEN = '['.charCodeAt(0)
const COMMA = ','.charCodeAt(0)
const CLOSE = ']'.charCodeAt(0)
const encoder = new TextEncoder()

/** Fills one call's body with the first events that fit. Pure: the same events give the same bytes. */
export function buildDelivery(events: readonly StoredEvent[], options: BuildOptions): DeliveryDraft {
  const { map, gzip, limits, learnedMaxBytes } = options
  const buffer = new Uint8Array(limits.maxBytes)
  const unmappable: { index: number; code: string; detail: string }[] = []
  let bytes = 0
  let rows = 0
  let taken = 0
  for (const event of events) {
    if (rows >= limits.maxRows) break
    const mapped = map(event)
    if ('row' in mapped) {
      const room = rows === 0 ? limits.maxBytes : learnedMaxBytes
      const written = writeRow(buffer, bytes, mapped.row, room)
      if (written > 0) {
        bytes += written
        rows++
      } else if (rows > 0) break
      else unmappable.push({ index: taken, code: 'too_large', detail: tooLarge(limits.maxBytes) })
    } else {
      unmappable.push({ index: taken, ...mapped })
    }
    taken++
  }
  if (rows === 0) return { taken, body: new Uint8Array(0), rows, bytes: 0, unmappable }
  buffer[bytes++] = CLOSE
  return { taken, body: gzip(buffer.subarray(0, bytes)), rows, bytes, unmappable }
}

/** Writes `[row` or `,row` at `position`; 0 when it would not leave a byte for the closing bracket. */
function writeRow(buffer: Uint8Array, position: number, row: string, maxBytes: number): number {
  const start = position + 1
  if (start >= maxBytes - 1) return 0
  const { read, written } = encoder.encodeInto(row, buffer.subarray(start, maxBytes - 1))
  if (read < row.length) return 0
  buffer[position] = position === 0 ? OPEN : COMMA
  return written + 1
}

function tooLarge(maxBytes: number): string {
  return `The event alone is larger than one call may be (${maxBytes} bytes).`
}
