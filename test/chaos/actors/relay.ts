import { setTimeout as pause } from 'node:timers/promises'
import { eventId } from '../../../src/meter/contract.ts'
import { openSqliteStore } from '../../../src/relay/store/sqlite/open-sqlite-store.ts'
import { verifyStore } from '../../../src/relay/store/sqlite/verify-store.ts'
import type { Actor, StreamRow } from '../contract.ts'
import type { RelayProcessOptions } from '../processes/contract.ts'
import { mortal } from './mortal.ts'

export interface Autopsy {
  readonly ledger: readonly StreamRow[]
  /** Event ids of its dead letters. */
  readonly refused: readonly string[]
  readonly problems: readonly string[]
}

export interface RelayActor extends Actor {
  /** Every stream that the relay knew when it was stopped, and what is wrong with its store. */
  autopsy(): Promise<Autopsy>
  /** Events that are stored and not yet settled with the upstream. */
  onTheWay(): Promise<number>
}

const SCRIPT = new URL('../processes/relay.ts', import.meta.url).pathname
const ALL = 1_000_000

/** The relay in a process of its own, killed and restarted on one database and one port. */
export function relayActor(options: RelayProcessOptions): RelayActor {
  const process = mortal(SCRIPT)
  const start = async () => void (await process.start([JSON.stringify(options)]))

  async function ask(path: string): Promise<Record<string, unknown>> {
    const headers = { authorization: `Bearer ${options.adminKey}` }
    const answer = await fetch(`http://127.0.0.1:${options.adminPort}${path}`, { headers })
    if (!answer.ok) throw new Error(`The relay's operator port answered ${answer.status} for ${path}.`)
    return (await answer.json()) as Record<string, unknown>
  }

  return {
    name: 'relay',
    strikes: ['killed', 'killed', 'restarted', 'away'],
    start,
    async strike(kind, random) {
      if (kind === 'restarted') await process.end('SIGTERM')
      else await process.end('SIGKILL')
      if (kind === 'away') await pause(random.whole(1_000, 5_000))
      await start()
    },
    async settle() {
      if (!process.isAlive) await start()
    },
    async stop() {
      await process.end('SIGTERM')
    },
    async autopsy() {
      const { problems } = await verifyStore(options.database)
      const store = openSqliteStore({ path: options.database, clock: Date.now })
      const ledger = await store.ledger({ limit: ALL })
      const letters = await store.deadLetters({ limit: ALL })
      await store.close()
      return { ledger, refused: letters.map(({ stream, seq }) => eventId(stream, seq)), problems }
    },
    async onTheWay() {
      const { totals } = (await ask('/v1/ledger?limit=1')) as { totals: Record<string, number> }
      const { received = 0, forwarded = 0, dead = 0, discarded = 0, deduplicated = 0, held = 0 } = totals
      return received - forwarded - dead - discarded - deduplicated - held
    },
  }
}
