import { eventId } from '../../../src/meter/contract.ts'
import type { Range } from '../../../src/wire/contract.ts'
import type { Carried, Format, SinkAnswer, SinkRequest } from '../contract.ts'

interface Segment {
  readonly stream: string
  readonly first: number
  readonly events: readonly [string, number, { readonly n: number }][]
}

function segmentsOf({ url, body }: SinkRequest): readonly Segment[] | undefined {
  if (!['/v1/events', '/v1/exit'].includes(url.pathname)) return undefined
  return (JSON.parse(body.toString()) as { segments: Segment[] }).segments
}

function read(request: SinkRequest): Carried[] | undefined {
  return segmentsOf(request)?.flatMap(({ stream, first, events }) =>
    events.map(([, , { n }], index) => ({ n, id: eventId(stream, first + index) })),
  )
}

/** Takes all it is sent, as the cheapest relay would: says so by stream and number. */
function takeAll(request: SinkRequest): SinkAnswer {
  const received: Record<string, Range[]> = {}
  for (const { stream, first, events } of segmentsOf(request) ?? []) {
    received[stream] = [...(received[stream] ?? []), [first, first + events.length - 1]]
  }
  return { body: JSON.stringify({ received, rejected: [], retry: [], serverTime: Date.now() }) }
}

/** metertap's requests, answered by a relay that takes everything, or by the one that is given. */
export function metertapFormat(relay?: (request: SinkRequest) => Promise<SinkAnswer>): Format {
  return { read, answer: relay ?? takeAll }
}
