import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { launch, newProfile, openSubject } from '../browser/open.ts'
import { servePage } from '../browser/page-server.ts'
import { openSink } from '../sink/server.ts'
import { installPeers } from './install.ts'
import { type Library, loadLibraries } from './subjects.ts'

/** What one library put on the wire for the same events. */
export interface PeerWire {
  readonly name: string
  readonly bytesPerEvent: number
  /** If each of its bodies were packed, those that are not. */
  readonly packedPerEvent: number
  readonly requests: number
}

const EVENTS = 1_000
const TIMEOUT_MS = 60_000
const POLL_MS = 100
const SETTLE_MS = 1_000

async function wireOf({ name, scripts, format }: Library): Promise<PeerWire> {
  await using opened = new AsyncDisposableStack()
  const sink = await openSink(format, { keepBodies: true })
  opened.defer(() => sink.close())
  const site = await servePage(scripts)
  opened.defer(() => site.close())
  const profile = await newProfile()
  opened.defer(() => profile.remove())
  const browser = await launch(profile.path)
  const { context } = browser
  opened.defer(() => browser.close())
  const page = await openSubject(context.pages()[0] ?? (await context.newPage()), site.url, sink.url)
  await delay(SETTLE_MS)
  await page.evaluate((count) => window.bench?.prepare(0, count), EVENTS)
  await page.evaluate(() => window.bench?.burst())
  const deadlineMs = Date.now() + TIMEOUT_MS
  while (sink.arrivals.delivered < EVENTS && Date.now() < deadlineMs) await delay(POLL_MS)
  const { delivered, bytes, requests } = sink.arrivals
  const packed = sink.bodies.reduce((sum, body) => sum + Math.min(body.length, gzipSync(body).length), 0)
  return { name, bytesPerEvent: bytes / delivered, packedPerEvent: packed / delivered, requests }
}

/** The same events through every library's page, one after the other. */
export async function peerWires(tell: (text: string) => void): Promise<PeerWire[]> {
  installPeers(tell)
  const wires: PeerWire[] = []
  for (const library of await loadLibraries('')) {
    tell(`wire: ${library.name}`)
    wires.push(await wireOf(library))
  }
  return wires
}
