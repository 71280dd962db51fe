import type { BuildDelivery, Delivery, OpenDeliveryOptions, RelayStore } from '../contract.ts'
import { acceptRequest } from './accept.ts'
import type { StoreParts } from './store-parts.ts'

export interface StoreEngine {
  /** Runs the job in a transaction; resolves once that is committed and durable. */
  write<T>(job: () => T): Promise<T>
  read<T>(job: () => T): Promise<T>
  readonly clock: () => number
  readonly maxRanges: number
}

/** What a store does whichever engine its SQLite is of. */
export type StoreMethods = Omit<RelayStore, 'backup' | 'close'>

/** The methods of a store over its parts. */
export function createStoreMethods(parts: StoreParts, { write, read, clock, maxRanges }: StoreEngine): StoreMethods {
  const { streams, chunks, deliveries, parked, lanes, heldChunks, hours, desk, small, revocations } = parts

  async function openDelivery(claim: OpenDeliveryOptions, build: BuildDelivery): Promise<Delivery | undefined> {
    // One slice of unmappable or late events per turn, so that a long row of them does not hold up the requests.
    for (;;) {
      const opened = await write(() => deliveries.open(claim, build))
      if (opened !== 'again') return opened
    }
  }

  async function releaseHeld(owner: { tenant: string; account: string }): Promise<number> {
    for (let released = 0; ; ) {
      const some = await write(() => heldChunks.releaseSome(owner, clock()))
      if (some === 0) return released
      released += some
    }
  }

  return {
    accept: (request) => write(() => acceptRequest(request, { ...parts, maxRanges })),
    openDelivery,
    acceptDelivery: (id, nowMs) => write(() => deliveries.accept(id, nowMs)),
    postponeDelivery: (id, notBeforeMs, error, inDoubt = true) =>
      write(() => deliveries.postpone(id, notBeforeMs, error, inDoubt)),
    splitDelivery: (id, build, inDoubt = true) => write(() => deliveries.split(id, build, inDoubt, clock())),
    buryDelivery: (id, code, detail, nowMs) => write(() => deliveries.bury(id, code, detail, nowMs)),
    parkDelivery: (id, reason, nowMs) => write(() => parked.park(id, reason, nowMs)),
    parkedDeliveries: (filter = {}) => read(() => parked.list(filter)),
    resolveParked: (id, verdict, nowMs) => write(() => parked.resolve(id, verdict, nowMs)),
    pauseLane: (lane, reason, nowMs) => write(() => lanes.pause(lane, reason, nowMs)),
    resumeLane: (lane) => write(() => lanes.resume(lane)),
    backlog: () => read(() => lanes.backlog()),
    waitingOfOthers: (lane, account) => read(() => chunks.ofOthers(lane, account)),
    heldEvents: (filter = {}) => read(() => heldChunks.list(filter)),
    releaseHeld,
    ledger: (filter = {}) => read(() => streams.ledger(filter)),
    totals: () => read(() => streams.totals()),
    ledgerByHour: (filter = {}) => read(() => hours.list(filter)),
    gaps: (filter = {}) => read(() => parts.readGaps(filter)),
    deadLetters: (filter = {}) => read(() => desk.find(filter)),
    editDeadLetter: (id, data) => write(() => desk.edit(id, data)),
    replayDeadLetters: (selection) => write(() => desk.replay(selection, clock())),
    deleteDeadLetters: (ids) => write(() => desk.discard(ids, clock())),
    buryForwarded: (failure, nowMs) => write(() => parts.buryForwarded(failure, nowMs)),
    note: (name) => read(() => small.note(name)),
    setNote: (name, value) => write(() => small.setNote(name, value)),
    useNonce: (nonce, expiresAtMs, nowMs) => write(() => small.useNonce(nonce, expiresAtMs, nowMs)),
    async secret(name, create) {
      const stored = await read(() => small.readSecret(name))
      if (stored !== undefined) return stored
      const made = await create()
      return write(() => small.keepSecret(name, made, clock()))
    },
    swapSecret: (name, before, after) => write(() => parts.swapSecret(name, before, after)),
    revoke: (revocation) => write(() => revocations.revoke(revocation)),
    revokedBefore: (subject) => read(() => revocations.before(subject)),
    revocations: () => read(() => revocations.list()),
    check: () => write(() => small.touch(clock())),
  }
}
