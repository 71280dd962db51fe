/** A page that records on and on: `?account=&pad=`. What it is promised it tells the harness at once. */
import { type Agent, createAgent } from '../../../src/index.ts'
import { chaosEvents } from '../meter.ts'
import type { ChaosPage } from './contract.ts'

declare global {
  interface Window {
    chaos?: ChaosPage
    /** Given by the harness. */
    chaosPromise(ids: readonly string[], durability: string): void
    chaosBury(id: string, code: string): void
  }
}

const query = new URLSearchParams(location.search)
const account = query.get('account') ?? ''
const BURSTS = [1, 1, 1, 2, 5, 20, 100]
const MEAN_PAUSE_MS = 120

let offsetMs = 0
const realNow = Date.now
Date.now = () => realNow() + offsetMs

const usage: Agent = createAgent({
  relay: query.get('relay') ?? '',
  account,
  outbox: 'chaos',
  meters: [chaosEvents],
  flushIntervalMs: 500,
  requestTimeoutMs: 5_000,
  token: async () => {
    const answer = await fetch(`/token/${account}`)
    if (!answer.ok) throw new Error(`Status ${answer.status}`)
    return answer.text()
  },
})
usage.on('deadletter', ({ id, code }) => window.chaosBury(id, code))

let isRecording = true
let n = 0

/** Hears of each receipt when it is durable, and tells those of one burst together. */
async function burst(count: number): Promise<void> {
  const receipts = Array.from({ length: count }, () => {
    return usage.record(chaosEvents, { n: n++, pad: 'x'.repeat(Math.floor(Math.random() * 200)) })
  })
  const told = await Promise.all(
    receipts.map(async ({ id, durable }) => {
      const durability = await durable.catch(() => 'none')
      return { id, durability }
    }),
  )
  for (const [durability, list] of Map.groupBy(told, ({ durability }) => durability)) {
    const ids = list.flatMap(({ id }) => id ?? [])
    if (durability !== 'none' && ids.length > 0) window.chaosPromise(ids, durability)
  }
}

function goOn(): void {
  if (isRecording) void burst(BURSTS[Math.floor(Math.random() * BURSTS.length)] ?? 1)
  setTimeout(goOn, Math.random() * 2 * MEAN_PAUSE_MS)
}

window.chaos = {
  shiftClock(ms) {
    offsetMs += ms
  },
  rest() {
    isRecording = false
  },
  async waiting() {
    await usage.flush()
    const { waiting, storing, lastTrouble } = usage.stats()
    return { waiting: waiting + storing, trouble: lastTrouble?.code }
  },
}
goOn()
