import { setTimeout as pause } from 'node:timers/promises'
import type { Fault, ZuoraStandIn } from '../../../src/zuora-stand-in/contract.ts'
import type { Actor } from '../contract.ts'
import type { Random } from '../random.ts'

const FAULTS: Readonly<Record<string, (random: Random) => Fault>> = {
  500: () => ({ kind: 'status', status: 500 }),
  'stored, then 503': () => ({ kind: 'status', status: 503, stored: true }),
  'answers lost': () => ({ kind: 'answer-lost' }),
  'answers cut': () => ({ kind: 'answer-lost', cut: 'body' }),
  429: () => ({ kind: 'rate-limit', retryAfter: 1 }),
  401: () => ({ kind: 'unauthorized' }),
  'connections refused': () => ({ kind: 'connection-refused' }),
  413: (random) => ({ kind: 'too-large', maxRows: random.whole(20, 500) }),
  slow: (random) => ({ kind: 'slow', delayMs: random.whole(100, 2_500), when: random.pick(['before', 'after']) }),
  'stored, yet false': () => ({ kind: 'success-false', stored: true }),
}

/** The stand-in for Zuora and its moods. */
export function upstreamActor(zuora: ZuoraStandIn): Actor {
  return {
    name: 'upstream',
    strikes: Object.keys(FAULTS),
    async start() {},
    async strike(kind, random) {
      const fault = FAULTS[kind]?.(random)
      if (!fault) throw new RangeError(`The upstream has no mood called ${kind}.`)
      zuora.faults.add({ ...fault, probability: 0.7 })
      await pause(random.whole(500, 4_000))
      zuora.faults.clear()
    },
    async settle() {
      zuora.faults.clear()
    },
    stop: () => zuora.close(),
  }
}
