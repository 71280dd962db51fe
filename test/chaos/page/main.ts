/** A page that records on and on: `?account=&pad=`. What it is promised it tells the harness at once. */
import { type Agent, createAgent } from '../../../src/index.ts'
import { chaosEvents } from '../meter.ts'
import { recordOn } from '../record-on.ts'
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

const rest = recordOn({
  ...{ usage, bursts: BURSTS, meanPauseMs: MEAN_PAUSE_MS },
  onPromise: (ids, durability) => window.chaosPromise(ids, durability),
})

window.chaos = {
  shiftClock(ms) {
    offsetMs += ms
  },
  rest,
  async waiting() {
    await usage.flush()
    const { waiting, storing, lastTrouble } = usage.stats()
    return { waiting: waiting + storing, trouble: lastTrouble?.code }
  },
}
