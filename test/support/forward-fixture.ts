import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { eventId } from '../../src/meter/contract.ts'
import type { MeterRoute, ZuoraOptions } from '../../src/relay/contract.ts'
import type { Forwarder, ForwarderOptions } from '../../src/relay/forward/contract.ts'
import { createForwarder } from '../../src/relay/forward/create-forwarder.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { createFakeUpstream, type FakeUpstream } from './fake-upstream.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

export const STREAM = '0193a1b2-0000-7000-8000-000000000001'
export const SECRET = 'the-client-secret'

export function routeOf(name: string, upstream: Partial<MeterRoute['upstream']> = {}): MeterRoute {
  const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' } as const
  return {
    meter: { name, schema: z.unknown(), options: {} },
    upstream: { ...('url' in upstream ? {} : { meterGlobalId: `id of ${name}` }), fields, ...upstream },
  }
}

export interface ForwardBed {
  readonly time: VirtualTime
  readonly upstream: FakeUpstream
  readonly logs: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[]
  readonly store: RelayStore
  readonly forwarder: Forwarder
  /** Stores `count` more events of a meter (quantity = number, or what `data` gives) of an account and wakes the lane; returns their ids. */
  record(count: number, meter?: string, data?: (seq: number) => unknown, account?: string): Promise<string[]>
  /** Makes and starts another forwarder on the same store, as the next start of the process does. */
  restart(options?: Partial<ForwarderOptions>): Forwarder
  /** Runs until the lanes have nothing left in the store. */
  drained(): Promise<void>
  close(): Promise<void>
}

/** A forwarder over a real store in a folder of its own, a scripted upstream and a clock that moves on demand. */
export async function openForwardBed(
  options: Partial<Omit<ForwarderOptions, 'upstream'>> & { upstream?: Partial<ZuoraOptions> } = {},
): Promise<ForwardBed> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-forward-'))
  const time = createVirtualTime(Date.UTC(2026, 10, 23, 12))
  const upstream = createFakeUpstream()
  const logs: ForwardBed['logs'] = []
  const real = openSqliteStore({ path: join(folder, 'relay.db'), clock: time.clock })
  const store = options.store ?? real
  let owners = 0
  const make = (more: Partial<ForwarderOptions> = {}): Forwarder =>
    createForwarder({
      ...{ routes: [routeOf('calls')], owner: `owner-${++owners}`, clock: time.clock, random: () => 0.5 },
      ...{ timer: time.timer, fetch: upstream.fetch },
      log: (level, event, fields = {}) => logs.push({ level, event, fields }),
      ...{ ...options, ...more, store: more.store ?? store },
      upstream: { restBase: 'https://rest.zuora.com/', clientId: 'id', clientSecret: SECRET, ...options.upstream },
    })
  let forwarder = make()
  const started = [forwarder]
  let recorded = 0

  return {
    ...{ time, upstream, logs, store },
    get forwarder() {
      return forwarder
    },
    async record(count, meter = 'calls', data = (quantity) => ({ quantity }), account = 'acme') {
      const first = recorded
      recorded += count
      const events = Array.from({ length: count }, (_, i) => ({
        ...{ stream: STREAM, seq: first + i, meter, atMs: time.clock(), data: JSON.stringify(data(first + i)) },
      }))
      const streams = [{ id: STREAM, recorded, dropped: {} }]
      const who = { tenant: 'default', account, device: 'd1', receivedAtMs: time.clock() }
      await real.accept({ ...who, streams, events, refused: [] })
      forwarder.wake(meter)
      return events.map(({ seq }) => eventId(STREAM, seq))
    },
    restart(more) {
      forwarder = make(more)
      started.push(forwarder)
      forwarder.start()
      return forwarder
    },
    async drained() {
      await time.until(async () => {
        const { received, forwarded, dead } = await real.totals()
        return received === forwarded + dead
      })
    },
    async close() {
      const stopping = Promise.all(started.map((each) => each.stop()))
      await time.advance(60_000)
      await stopping
      await real.close()
      rmSync(folder, { recursive: true })
    },
  }
}
