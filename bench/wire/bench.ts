import type { Bench, BenchOptions, Ratio, Report, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'
import { spreadOf } from '../harness/stats.ts'
import { type PeerWire, peerWires } from '../peers/wire.ts'
import { type WireBytes, wireBytes } from './encode.ts'
import { makeShapes, type Shape } from './shapes.ts'

/** Events in one request by default. */
const BATCH_EVENTS = 2_000
/** A page that is used: what five seconds bring, and what a busy minute brings. */
const SMALL_BATCHES = [10, 50, 500]
const MAX_OVER_GZIP = 1.1
const MAX_OVER_BEST_PEER = 1 / 3

interface Measured {
  readonly shape: Shape
  readonly bytes: WireBytes
  readonly small: readonly number[]
}

function ratiosOf(measured: readonly Measured[], peers: readonly PeerWire[]): Ratio[] {
  const overGzip = measured.map(({ shape, bytes }) => ({
    name: `${shape.name}: bytes over gzip of the plain data`,
    value: spreadOf([bytes.metertap / bytes.plainGzip]),
    atMost: MAX_OVER_GZIP,
  }))
  const ours = peers.find(({ name }) => name === 'metertap')
  const others = peers.filter(({ name }) => name !== 'metertap')
  if (!ours || others.length === 0) return overGzip
  const best = others.reduce((least, peer) => (peer.bytesPerEvent < least.bytesPerEvent ? peer : least))
  const value = spreadOf([ours.bytesPerEvent / best.bytesPerEvent])
  return [...overGzip, { name: `bytes over the best peer’s (${best.name})`, value, atMost: MAX_OVER_BEST_PEER }]
}

function shapeTable(measured: readonly Measured[]): Table {
  return {
    title: `Bytes an event on the wire; metertap in requests of ${BATCH_EVENTS.toLocaleString('en')} events, and of fewer`,
    columns: ['shape', 'plain', 'brotli', 'gzip', 'metertap', ...SMALL_BATCHES.map((events) => `by ${events}`)],
    rows: measured.map(({ shape, bytes, small }) => [
      shape.name,
      ...[bytes.plain, bytes.plainBrotli, bytes.plainGzip, bytes.metertap],
      ...small,
    ]),
  }
}

function peerTable(peers: readonly PeerWire[]): Table {
  return {
    title: 'The same events through each library’s own page, bodies as captured at the sink',
    columns: ['library', 'bytes an event', 'requests', 'gzip of the same bodies'],
    rows: peers.map(({ name, bytesPerEvent, requests, packedPerEvent }) => [
      name,
      bytesPerEvent,
      String(requests),
      packedPerEvent,
    ]),
  }
}

async function run({ quick, only, tell }: BenchOptions): Promise<Report> {
  const shapes = makeShapes(quick ? 2_000 : 9_999).filter(({ name }) => name.includes(only))
  const measured = shapes.map((shape) => ({
    shape,
    bytes: wireBytes(shape, BATCH_EVENTS),
    small: SMALL_BATCHES.map((events) => wireBytes(shape, events).metertap),
  }))
  const peers = quick ? [] : await peerWires(tell)
  const bars = peers
    .toSorted((a, b) => a.bytesPerEvent - b.bytesPerEvent)
    .map(({ name, bytesPerEvent }) => ({ label: name, value: bytesPerEvent, highlight: name === 'metertap' }))
  return {
    ratios: ratiosOf(measured, peers),
    tables: [shapeTable(measured), ...(peers.length > 0 ? [peerTable(peers)] : [])],
    charts: peers.length > 0 ? [{ name: 'wire', title: 'Bytes an event on the wire', unit: 'bytes', bars }] : [],
    notes: [
      `metertap’s requests carry each event’s number and id, the gzip of the plain data does not: ${figure(MAX_OVER_GZIP)} is what they may cost.`,
      'gzip level 6, as a browser’s CompressionStream packs; brotli at its best, which no browser offers to a page.',
      ...(quick ? ['The full form also sends the same events through every peer’s page.'] : []),
    ],
  }
}

export const wireBench: Bench = {
  name: 'wire',
  title: 'Bytes an event on the wire',
  defaultRounds: { quick: 1, full: 1 },
  run,
}
