import { env, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { ReconcileFace, ShardFace } from '../../src/relay/edge/contract.ts'
import { createEdgeReconciler } from '../../src/relay/edge/edge-reconciler.ts'
import { createGateReconciler, pagesOf } from '../../src/relay/edge/gate-reconciler.ts'
import { shardOf } from '../../src/relay/edge/shard-of.ts'
import type { AskUpstream } from '../../src/relay/forward/contract.ts'
import type { MeterReport } from '../../src/relay/reconcile/contract.ts'
import { openDurableStore } from '../../src/relay/store/durable-object/open-durable-store.ts'
import { events, request, streamId, take } from '../contract/relay-store-kit.ts'
import { shardOver } from '../support/store-shard.ts'
import { roomOf } from './support/room.ts'

const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2026, 10, 23, 12, 20)
const ACCOUNTS = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', 'wayne', 'tyrell']
const SHARDS = 3

interface Entry {
  readonly errorTime: string
  readonly errorCode: string
  readonly errorMessage: string
  readonly payload: unknown
  readonly eventId: string
  readonly operatorType: string
}

/** Shards and a gate in real Durable Objects, and an upstream whose books the test writes. */
interface Bed {
  nowMs: number
  readonly shards: readonly ShardFace[]
  readonly asked: string[]
  /** What the audit trail says, two entries to a page. */
  entries: Entry[]
  accepted: number
  failing: boolean
  /** Cursors that the upstream was given, '' for none. */
  readonly cursors: string[]
  readonly logs: string[]
  /** Runs in a new instance of the gate. */
  inGate<R>(work: (face: ReconcileFace) => Promise<R>): Promise<R>
  run(sinceMs?: number): Promise<MeterReport>
}

async function openBed(accounts: readonly string[] = ACCOUNTS, fields: object = { Account: 'account' }): Promise<Bed> {
  const asked: string[] = []
  const rooms = Array.from({ length: SHARDS }, () => roomOf((storage) => openDurableStore({ storage, clock })))
  const gate = env.STOREROOM.get(env.STOREROOM.idFromName(crypto.randomUUID()))
  const routes = [
    {
      meter: { name: 'api_calls', schema: {} as never, options: {} },
      upstream: { meterGlobalId: 'm', fields: { Id: 'id', Quantity: 'data.quantity', ...fields } as never },
    },
  ]
  const ask: AskUpstream = async (path) => {
    asked.push('upstream')
    if (bed.failing) return { status: 503, body: '' }
    if (path.endsWith('/summary')) {
      const output = [{ dimensions: { operatorId: 'source' }, output: bed.accepted, totalErrorCount: 0 }]
      return { status: 200, body: JSON.stringify({ success: true, data: { output } }) }
    }
    const cursor = new URLSearchParams(path.split('?')[1]).get('cursor') ?? ''
    bed.cursors.push(cursor)
    const from = Number(cursor)
    const nextPage = from + 2 < bed.entries.length ? String(from + 2) : null
    return { status: 200, body: JSON.stringify({ success: true, data: bed.entries.slice(from, from + 2), nextPage }) }
  }
  const bed: Bed = {
    nowMs: START_MS,
    shards: rooms.map((store) => shardOver(store, (name) => asked.push(name))),
    ...{ asked, entries: [], accepted: 0, failing: false, cursors: [], logs: [] },
    inGate: (work) =>
      runInDurableObject(gate, (_, { storage }) => {
        const log = (_level: string, event: string) => void bed.logs.push(event)
        const parts = { storage, shards: bed.shards, routes, tenant: 'default', ask, clock, log }
        return work(createGateReconciler(parts))
      }),
    run: (sinceMs) => bed.inGate((face) => face.reconcile('api_calls', sinceMs)),
  }
  function clock(): number {
    return bed.nowMs
  }
  const store = rooms[0]
  if (store === undefined) throw new Error('There is no shard.')
  for (const [i, account] of accounts.entries()) {
    const own = rooms[shardOf(SHARDS, 'default', account)] as typeof store
    await own.accept(request(events(0, 3, { stream: streamId(i) }), { account, receivedAtMs: START_MS }))
    const delivery = await take(own, { nowMs: START_MS, maxEvents: 100 })
    await own.acceptDelivery(delivery?.id ?? '', START_MS)
  }
  asked.length = 0
  return bed
}

const idOf = (account: number, seq: number) => `${streamId(account)}-${seq}`

function failureOf(account: number, seq: number, operatorType = 'METER'): Entry {
  return {
    ...{ errorTime: String(START_MS), errorCode: '70000000', errorMessage: 'no such rate', operatorType },
    payload: { Id: idOf(account, seq), Account: ACCOUNTS[account], Quantity: 3 },
    eventId: `${account} ${seq} ${operatorType}`,
  }
}

async function deadOf({ shards }: Bed): Promise<string[]> {
  const letters = await Promise.all(shards.map((shard) => shard.ask('deadLetters', [{ limit: 1_000 }])))
  return letters
    .flat()
    .map(({ stream, seq }) => `${stream}-${seq}`)
    .toSorted()
}

async function totalsOf({ shards }: Bed): Promise<{ forwarded: number; dead: number }> {
  const all = await Promise.all(shards.map((shard) => shard.ask('totals', [])))
  return {
    forwarded: all.reduce((sum, { forwarded }) => sum + forwarded, 0),
    dead: all.reduce((sum, { dead }) => sum + dead, 0),
  }
}

describe('the edge relay’s reconciler', () => {
  test('turns rows whose import failed into dead letters of their shards, once, though the gate is a new one each time', async () => {
    const bed = await openBed()
    bed.entries = [failureOf(0, 1), failureOf(3, 2), failureOf(5, 0), failureOf(1, 1, 'DEDUPLICATOR')]
    expect(await bed.run()).toMatchObject({ buried: 3, known: 0, unknown: 0, deduplicated: 1 })
    expect(await deadOf(bed)).toEqual([idOf(0, 1), idOf(3, 2), idOf(5, 0)].toSorted())
    expect(await totalsOf(bed)).toEqual({ forwarded: 29, dead: 3 })
    bed.nowMs += HOUR_MS
    bed.entries.push(failureOf(7, 3))
    bed.accepted = 28
    expect(await bed.run()).toMatchObject({
      ...{ buried: 1, known: 3 },
      comparison: { forwarded: 32, accepted: 28, difference: 4 },
    })
  })

  test('a row without its account is the one stream’s that has the id; of a stream of two accounts nothing is known', async () => {
    const bed = await openBed(ACCOUNTS, {})
    bed.entries = [failureOf(0, 1), failureOf(6, 2), { ...failureOf(0, 0), payload: { Id: `${streamId(99)}-0` } }]
    expect(await bed.run()).toMatchObject({ buried: 2, unknown: 1 })
    expect(await deadOf(bed)).toEqual([idOf(0, 1), idOf(6, 2)].toSorted())
    // The same stream under an account of another shard.
    const others = await Promise.all(bed.shards.map((shard) => shard.ask('totals', [])))
    const quiet = others.findIndex(({ dead }) => dead === 0)
    await bed.shards[quiet]?.accept(request(events(0, 3, { stream: streamId(0) }), { account: 'another' }))
    bed.entries = [failureOf(0, 2)]
    expect(await bed.run()).toMatchObject({ buried: 0, unknown: 1 })
  })

  test('a page costs each shard two questions at most, so that a call stays below a thousand', async () => {
    const bed = await openBed(ACCOUNTS, {})
    bed.entries = Array.from({ length: 8 }, (_, i) => failureOf(i, 1))
    bed.nowMs += 2 * HOUR_MS
    await bed.run()
    // Four pages, the first hours, the summary and the sums.
    expect(bed.asked.filter((name) => name === 'upstream')).toHaveLength(5)
    expect(bed.asked.length).toBeLessThanOrEqual(4 * (1 + 2 * SHARDS) + 1 + 2 * SHARDS)
    for (const shards of [1, 4, 16, 64, 128]) {
      expect(pagesOf(shards) * (1 + 2 * shards) + 2 * shards, String(shards)).toBeLessThanOrEqual(900)
      expect(pagesOf(shards)).toBeGreaterThan(1)
    }
  })

  test('more than one call may read is read by several, each from where the last one ended', async () => {
    const bed = await openBed()
    const perCall = pagesOf(SHARDS)
    // Known rows cost nothing but the reading.
    bed.entries = Array.from({ length: 4 * perCall + 2 }, (_, i) => failureOf(i % 8, 1, `DEDUPLICATOR ${i}`))
    bed.entries.push(failureOf(2, 3))
    let calls = 0
    const face: ReconcileFace = {
      reconcile: (meter, sinceMs) => {
        calls++
        return bed.inGate((gate) => gate.reconcile(meter, sinceMs))
      },
      takeTurn: async () => true,
    }
    const reconciler = createEdgeReconciler({ face, meters: ['api_calls'], clock: () => bed.nowMs })
    const { meters } = await reconciler.run()
    expect(calls).toBe(3)
    expect(meters[0]).toMatchObject({ buried: 1, deduplicated: 4 * perCall + 2 })
    expect(meters[0]).not.toHaveProperty('isUnfinished')
    expect(bed.cursors).toHaveLength(2 * perCall + 2)
    expect(new Set(bed.cursors).size).toBe(bed.cursors.length)
    expect(await deadOf(bed)).toEqual([idOf(2, 3)])
  })

  test('that fails in the middle of a long trail says so, and the next run reads it all', async () => {
    const bed = await openBed()
    const perCall = pagesOf(SHARDS)
    bed.entries = Array.from({ length: 2 * perCall + 2 }, (_, i) => failureOf(i % 8, 1, `DEDUPLICATOR ${i}`))
    bed.entries.unshift(failureOf(2, 3))
    expect(await bed.run()).toMatchObject({ buried: 1, isUnfinished: true })
    bed.failing = true
    expect(await bed.run()).toMatchObject({ failure: 'HTTP 503' })
    expect(bed.logs).toContain('reconcile_failed')
    bed.failing = false
    bed.cursors.length = 0
    expect(await bed.run()).toMatchObject({ buried: 0, known: 1 })
    expect(bed.cursors[0]).toBe('')
  })

  test('has one turn in its time, whoever asks', async () => {
    const bed = await openBed([])
    const turn = () => bed.inGate((face) => face.takeTurn(6 * HOUR_MS))
    expect([await turn(), await turn()]).toEqual([true, false])
    bed.nowMs += 6 * HOUR_MS
    expect([await turn(), await turn()]).toEqual([true, false])
  })
})
