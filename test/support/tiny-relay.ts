import type { Range, Rejection, StreamReport, WireBatch } from '../../src/wire/contract.ts'
import { exitBatch, wireBatch } from '../../src/wire/contract.ts'
import { addRange } from '../../src/wire/ranges.ts'

export interface SeenRequest {
  readonly path: string
  readonly token: string | undefined
  /** The body's segments as they were written, for comparing retries byte by byte. */
  readonly segmentText: string
  readonly batch: WireBatch
}

/** What to do with a request instead of answering it: a status, a lost answer after storing, a dead network. */
export type Fault = number | Response | 'lost' | 'offline' | ((request: SeenRequest) => Promise<void> | void)

/** Rejects when the caller gives up, as fetch does. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

/** The least that is a relay: stores by number, answers with what it holds. Faults come from a list, one a request. */
export class TinyRelay {
  readonly requests: SeenRequest[] = []
  readonly faults: (Fault | undefined)[] = []
  /** Every event by its id, with how often it was stored; a correct relay stores each once. */
  readonly events = new Map<string, unknown>()
  readonly recorded = new Map<string, number>()
  readonly dropped = new Map<string, Readonly<Record<string, number>>>()
  /** What streams last said of themselves, by id. */
  readonly reports = new Map<string, StreamReport>()
  /** The token that each event came with, by id. */
  readonly tokens = new Map<string, string>()
  /** Ids that came again with another event. There must be none. */
  readonly conflicts: string[] = []
  accepts: (token: string) => boolean = () => true
  /** A status for requests that are refused for what they hold. */
  refuses: (segmentText: string) => number | undefined = () => undefined
  /** Why an event is not taken; undefined when it is. */
  rejects: (event: unknown) => Pick<Rejection, 'code' | 'detail'> | undefined = () => undefined
  /** Changes the answer before it leaves. */
  answer: (answer: Record<string, unknown>) => Record<string, unknown> = (answer) => answer
  readonly #held = new Map<string, Range[]>()

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const seen = await this.#read(request)
    this.requests.push(seen)
    const fault = this.faults.shift()
    if (fault === 'offline') throw new TypeError('Failed to fetch')
    if (fault instanceof Response) return fault
    if (typeof fault === 'number') return new Response('', { status: fault })
    if (typeof fault === 'function') await Promise.race([fault(seen), aborted(request.signal)])
    if (seen.token === undefined || !this.accepts(seen.token)) return new Response('', { status: 401 })
    const refusal = this.refuses(seen.segmentText)
    if (refusal !== undefined) return new Response('', { status: refusal })
    const answer = this.#take(seen.batch, seen.token)
    if (fault === 'lost') throw new TypeError('Failed to fetch')
    return Response.json(this.answer(answer))
  }

  /** Ids in the order of arrival. */
  get ids(): string[] {
    return [...this.events.keys()]
  }

  async #read(request: Request): Promise<SeenRequest> {
    const text = await unpacked(request)
    const path = new URL(request.url).pathname
    const json: unknown = JSON.parse(text)
    const token = path === '/v1/exit' ? exitBatch.parse(json).token : request.headers.get('authorization')?.slice(7)
    const segmentText = text.slice(text.indexOf('"segments":'))
    return { path, token, segmentText, batch: wireBatch.parse(json) }
  }

  #take({ streams, segments }: WireBatch, token: string): Record<string, unknown> {
    const received: Record<string, Range[]> = {}
    const rejected: Rejection[] = []
    for (const report of streams) {
      const { id, recorded, dropped } = report
      this.reports.set(id, report)
      this.recorded.set(id, recorded)
      this.dropped.set(id, dropped)
      received[id] = this.#held.get(id) ?? []
    }
    for (const segment of segments) {
      const stream = segment.stream as string
      segment.events.forEach((event, index) => {
        const seq = (segment.first as number) + index
        const rejection = this.rejects(event)
        if (rejection) rejected.push({ stream, seq, ...rejection })
        else this.#store(stream, seq, event, token)
      })
      received[stream] = this.#held.get(stream) ?? []
    }
    return { received, rejected, retry: [], serverTime: 1 }
  }

  #store(stream: string, seq: number, event: unknown, token: string): void {
    const id = `${stream}-${seq}`
    const { ranges, added } = addRange(this.#held.get(stream) ?? [], seq, seq)
    this.#held.set(stream, ranges)
    if (added.length > 0) {
      this.events.set(id, event)
      this.tokens.set(id, token)
    } else if (JSON.stringify(this.events.get(id)) !== JSON.stringify(event)) this.conflicts.push(id)
  }
}

async function unpacked(request: Request): Promise<string> {
  if (request.headers.get('content-encoding') !== 'gzip') return request.text()
  // Firefox has no Request.body.
  const packed = (await request.blob()).stream() as ReadableStream<Uint8Array<ArrayBuffer>>
  return new Response(packed.pipeThrough(new DecompressionStream('gzip'))).text()
}
