import { setTimeout as pause } from 'node:timers/promises'
import { type Action, cut, type FaultProxy, loseAnswer } from '../../matrix/server/proxy.ts'
import type { Actor } from '../contract.ts'
import type { Random } from '../random.ts'

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Action =>
  (exchange) =>
    exchange.reply(code, headers)

const slow =
  (ms: number): Action =>
  async (exchange) => {
    await pause(ms)
    await exchange.pass()
  }

/** What the next few requests meet. */
const ACTIONS: Readonly<Record<string, (random: Random) => Action>> = {
  'answers lost': () => loseAnswer,
  'connections cut': () => cut,
  500: () => status(500),
  503: (random) => status(503, { 'retry-after': String(random.whole(0, 2)) }),
  429: (random) => status(429, { 'retry-after': String(random.whole(0, 2)) }),
  413: () => status(413),
  401: () => status(401),
  slow: (random) => slow(random.whole(200, 3_000)),
}

/** The way between the agents and the relay. */
export function networkActor(proxy: FaultProxy): Actor {
  return {
    name: 'network',
    strikes: ['down', ...Object.keys(ACTIONS)],
    async start() {},
    async strike(kind, random) {
      const action = ACTIONS[kind]?.(random)
      if (action) {
        proxy.next(...Array.from({ length: random.whole(1, 5) }, () => action))
        return
      }
      await proxy.down()
      await pause(random.whole(500, 4_000))
      await proxy.up()
    },
    async settle() {
      proxy.calm()
    },
    stop: () => proxy.close(),
  }
}
