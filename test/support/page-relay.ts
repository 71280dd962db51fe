import { type WireBatch, wireBatch } from '../../src/wire/contract.ts'

/** A relay inside the page that takes everything. */
export interface PageRelay {
  readonly requests: number
  /** Events received, as often as they came. */
  readonly events: number
  readonly fetch: typeof globalThis.fetch
}

async function readBatch(request: Request): Promise<WireBatch> {
  const packed = request.body as ReadableStream<Uint8Array<ArrayBuffer>>
  return wireBatch.parse(await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).json())
}

export function openPageRelay(): PageRelay {
  let requests = 0
  let events = 0
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const { segments } = await readBatch(new Request(input, init))
    const received: Record<string, [number, number][]> = {}
    for (const segment of segments) {
      const { stream, first } = segment as { stream: string; first: number }
      const last = first + segment.events.length - 1
      received[stream] = [...(received[stream] ?? []), [first, last]]
      events += segment.events.length
    }
    requests++
    return Response.json({ received, rejected: [], retry: [], serverTime: Date.now() })
  }
  return {
    fetch: fetch as typeof globalThis.fetch,
    get requests() {
      return requests
    },
    get events() {
      return events
    },
  }
}
