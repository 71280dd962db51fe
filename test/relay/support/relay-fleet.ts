import { type Addresses, createMortalRelay, type MortalRelay } from './kill-again.ts'

/** Several relays on one database, each of which may die at any moment. */
export interface RelayFleet {
  /** Where one of the living listens, another each time. */
  addresses(): Promise<Addresses>
  totals(): Promise<Record<string, number>>
  startAll(): Promise<void>
  /** SIGKILL of one at random, and a new one in its place. */
  killOne(): Promise<void>
  /** SIGTERM of each, one after the other, a new one in its place; their exit codes. */
  restartEach(): Promise<(number | null)[]>
  /** SIGTERM of all; their exit codes. */
  stopAll(): Promise<(number | null)[]>
  killAll(): Promise<void>
}

export function createRelayFleet(database: string, upstream: string, size: number): RelayFleet {
  const relays = Array.from({ length: size }, () => createMortalRelay(database, upstream))
  const pick = (): MortalRelay => relays[Math.floor(Math.random() * size)] as MortalRelay
  let isOver = false

  const raising = new Map<MortalRelay, Promise<void>>()

  /** Starts it again until it listens, as a supervisor would: when its database is away, and when it is killed meanwhile. */
  function raise(relay: MortalRelay): Promise<void> {
    const running = raising.get(relay) ?? startUntilItListens(relay).finally(() => raising.delete(relay))
    raising.set(relay, running)
    return running
  }

  async function startUntilItListens(relay: MortalRelay): Promise<void> {
    while (!isOver) {
      const addresses = await relay.start().listens.catch(() => undefined)
      if (addresses) return
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  return {
    addresses() {
      const first = pick()
      return Promise.any([first, ...relays.filter((relay) => relay !== first)].map((relay) => relay.addresses()))
    },
    async totals() {
      for (;;) {
        const totals = await pick()
          .totals()
          .catch(() => undefined)
        if (totals?.received !== undefined) return totals
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
    async startAll() {
      await Promise.all(relays.map(raise))
    },
    async killOne() {
      const relay = pick()
      await relay.kill()
      raise(relay)
    },
    async restartEach() {
      const codes: (number | null)[] = []
      for (const relay of relays) {
        // Before it listens it does not know the signal yet.
        await raising.get(relay)
        codes.push(await relay.stop())
        await raise(relay)
      }
      return codes
    },
    async stopAll() {
      isOver = true
      return Promise.all(relays.map((relay) => relay.stop()))
    },
    async killAll() {
      isOver = true
      await Promise.all(relays.map((relay) => relay.kill()))
    },
  }
}
