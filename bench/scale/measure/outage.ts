import { setTimeout as delay } from 'node:timers/promises'
import { openUpstream, totalsOf } from '../../relay/forward.ts'
import { fetchTokens } from '../../relay/servers.ts'
import type { Found, Place } from './contract.ts'

const BATCH_EVENTS = 100
const BATCHES_PER_S = 20
const CONNECTIONS = 20
const RUN_S = 24
const BEFORE_MS = 4_000
const OUTAGE_MS = 8_000
const POLL_MS = 100
const TIMEOUT_MS = 120_000

/** A relay under an even load whose upstream answers 503 for a while: how much waits, and how soon it is gone. */
export async function measureOutage({ servers, tell }: Place): Promise<Found> {
  tell(`an upstream that is away for ${OUTAGE_MS} ms`)
  const zuora = await openUpstream()
  try {
    const relay = await servers.startRelay('outage.db', zuora.url)
    const adminUrl = relay.adminUrl ?? ''
    const order = {
      url: relay.url,
      batches: RUN_S * BATCHES_PER_S,
      batchEvents: BATCH_EVENTS,
      perSecond: BATCHES_PER_S,
    }
    const loading = servers.load({ ...order, tokens: await fetchTokens(relay.url, CONNECTIONS) })
    while ((await totalsOf(adminUrl)).received === 0) await delay(10)
    await delay(BEFORE_MS)
    zuora.faults.set([{ kind: 'status', status: 503, on: 'usage' }])
    const [beganMs, endsMs] = [performance.now(), performance.now() + OUTAGE_MS]
    let most = 0
    let isOver = false
    for (;;) {
      await delay(POLL_MS)
      const nowMs = performance.now()
      if (!isOver && nowMs >= endsMs) {
        zuora.faults.clear()
        isOver = true
      }
      const { received, forwarded } = await totalsOf(adminUrl)
      most = Math.max(most, received - forwarded)
      // What is left is what an even load always leaves: a second's worth.
      if (isOver && received - forwarded < BATCHES_PER_S * BATCH_EVENTS) break
      if (nowMs - beganMs > TIMEOUT_MS) throw new Error('The backlog did not go.')
    }
    const goneAfterS = (performance.now() - endsMs) / 1_000
    const load = await loading
    if (load.failures > 0) throw new Error(`The relay refused: ${load.firstFailure}`)
    await relay.stop()
    return {
      'sqlite.outage.eventsPerS': BATCHES_PER_S * BATCH_EVENTS,
      'sqlite.outage.outageS': OUTAGE_MS / 1_000,
      'sqlite.outage.mostWaiting': most,
      'sqlite.outage.goneAfterS': goneAfterS,
    }
  } finally {
    await zuora.close()
  }
}
