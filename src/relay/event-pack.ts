import type { AcceptableEvent, AcceptRequest, EventPack, Span } from './store/contract.ts'

/** Joins events of one meter, in the order in which they are stored. */
export interface Packer {
  add(stream: string, seq: number, atMs: number, data: string): void
  done(): Omit<EventPack, 'meter'>
}

/** Makes an empty packer. Pure but for what it gathers. */
export function createPacker(): Packer {
  const spans: Span[] = []
  const lines: string[] = []
  let last: Span | undefined
  return {
    add(stream, seq, atMs, data) {
      if (last !== undefined && last[1] + last[2] === seq && last[0] === stream) last[2]++
      else {
        last = [stream, seq, 1]
        spans.push(last)
      }
      lines.push(`[${atMs},${oneLine(data)}]`)
    },
    done: () => ({ spans, count: lines.length, body: lines.join('\n') }),
  }
}

/** JSON text holds line breaks only between its tokens, where a space means the same. */
function oneLine(json: string): string {
  return json.includes('\n') ? json.replaceAll('\n', ' ') : json
}

/** The time and the data of one line of a pack's body. */
export function readLine(line: string): { atMs: number; data: string } {
  const comma = line.indexOf(',')
  return { atMs: Number(line.slice(1, comma)), data: line.slice(comma + 1, -1) }
}

/** A pack's events. */
export function eventsOf({ meter, spans, body }: EventPack): AcceptableEvent[] {
  const lines = body.split('\n')
  const events: AcceptableEvent[] = []
  for (const [stream, first, count] of spans) {
    for (let i = 0; i < count; i++) {
      events.push({ stream, seq: first + i, meter, ...readLine(lines[events.length] as string) })
    }
  }
  return events
}

/** The same request with every event by itself. */
export function unpacked(request: AcceptRequest): AcceptRequest {
  const { packs = [], ...rest } = request
  return packs.length === 0 ? request : { ...rest, events: [...rest.events, ...packs.flatMap(eventsOf)] }
}

/** How many events a request has. */
export function eventCount({ events, packs = [] }: Pick<AcceptRequest, 'events' | 'packs'>): number {
  return packs.reduce((sum, { count }) => sum + count, events.length)
}

/** The meters of a request's events. */
export function metersOf({ events, packs = [] }: Pick<AcceptRequest, 'events' | 'packs'>): Set<string> {
  const meters = new Set(packs.map(({ meter }) => meter))
  for (const { meter } of events) meters.add(meter)
  return meters
}
