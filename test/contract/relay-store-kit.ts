import { eventId } from '../../src/meter/contract.ts'
import { createPacker } from '../../src/relay/event-pack.ts'
import type {
  AcceptableEvent,
  AcceptRequest,
  BuildDelivery,
  Delivery,
  LedgerTotals,
  RelayStore,
} from '../../src/relay/store/contract.ts'

/** One place that survives closing: open() gives a store on it, again and again. */
export interface StoreHome {
  open(options?: { maxRangesPerStream?: number; idempotencyWindowDays?: number }): RelayStore
  /** What the store's own check of its place finds wrong; the store may be open. */
  verify(): Promise<readonly string[]>
  remove(): Promise<void>
}

/** A stream's id; the same number gives the same id. */
export function streamId(n: number): string {
  return `0193a1b2-0000-7000-8000-${String(n).padStart(12, '0')}`
}

export const S1: string = streamId(1)
export const S2: string = streamId(2)

export function event(seq: number, parts: Partial<AcceptableEvent> = {}): AcceptableEvent {
  const data = JSON.stringify({ quantity: seq + 1, note: `é${seq}` })
  return { stream: S1, seq, meter: 'api_calls', atMs: 1_700_000_000_000 + seq, data, ...parts }
}

/** The events from … to, both included. */
export function events(from: number, to: number, parts: Partial<AcceptableEvent> = {}): AcceptableEvent[] {
  return Array.from({ length: to - from + 1 }, (_, i) => event(from + i, parts))
}

/** A request; each stream's report says that it recorded up to its highest event, unless `streams` is given. */
export function request(list: readonly AcceptableEvent[], parts: Partial<AcceptRequest> = {}): AcceptRequest {
  const recorded = new Map<string, number>()
  for (const { stream, seq } of list) recorded.set(stream, Math.max(recorded.get(stream) ?? 0, seq + 1))
  const streams = [...recorded].map(([id, count]) => ({ id, recorded: count, dropped: {} }))
  const who = { tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: 1_700_000_100_000 }
  return { ...who, streams, events: list, refused: [], ...parts }
}

/** The same request with its events in packs, but those that have a key. */
export function packed({ events: list, ...rest }: AcceptRequest): AcceptRequest {
  const byMeter = Map.groupBy(
    list.filter(({ idempotencyKey }) => idempotencyKey === undefined),
    ({ meter }) => meter,
  )
  const packs = [...byMeter].map(([meter, some]) => {
    const packer = createPacker()
    for (const { stream, seq, atMs, data } of some) packer.add(stream, seq, atMs, data)
    return { meter, ...packer.done() }
  })
  return { ...rest, events: list.filter(({ idempotencyKey }) => idempotencyKey !== undefined), packs }
}

/** Builds a body that can be read back: JSON lines of ids. */
export const buildIds: BuildDelivery = (list) => ({
  taken: list.length,
  body: new TextEncoder().encode(JSON.stringify(list.map(({ stream, seq }) => eventId(stream, seq)))),
  rows: list.length,
  bytes: list.length,
  unmappable: [],
})

export function idsOf({ body }: Pick<Delivery, 'body'>): string[] {
  return JSON.parse(new TextDecoder().decode(body))
}

export function ids(stream: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => eventId(stream, from + i))
}

/** openDelivery with what most tests want. */
export function take(
  store: RelayStore,
  parts: Partial<Parameters<RelayStore['openDelivery']>[0]> = {},
  build: BuildDelivery = buildIds,
): Promise<Delivery | undefined> {
  const usual = { lane: 'api_calls', owner: 'o1', leaseMs: 1_000, nowMs: 10_000, maxEvents: 1_000 }
  return store.openDelivery({ ...usual, ...parts }, build)
}

/** Later than any real or invented clock here, so that nothing is leased or postponed any more. */
const AFTER_ALL_LEASES_MS = 1e14

/** Takes and accepts everything in the lane; gives the ids in order of delivery. */
export async function drain(store: RelayStore, parts: Parameters<typeof take>[1] = {}): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const delivery = await take(store, { nowMs: AFTER_ALL_LEASES_MS, ...parts })
    if (!delivery) return all
    all.push(...idsOf(delivery))
    await store.acceptDelivery(delivery.id, AFTER_ALL_LEASES_MS)
  }
}

/** The sum of the ledger's rows, for comparison with totals(). */
export async function sumLedger(store: RelayStore): Promise<LedgerTotals> {
  const rows = await store.ledger({ limit: 100_000 })
  const counts = { recorded: 0, received: 0, rejected: 0, forwarded: 0, dead: 0, missing: 0 }
  const sum = { streams: 0, declared: 0, ...counts, discarded: 0, deduplicated: 0, held: 0 }
  const keys = [...Object.keys(counts), 'discarded', 'deduplicated', 'held'] as (keyof typeof counts | 'held')[]
  for (const row of rows) {
    sum.streams++
    for (const key of keys) sum[key] += row[key]
    for (const count of Object.values(row.declared)) sum.declared += count
  }
  return sum
}
