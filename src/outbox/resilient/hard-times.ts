import { MetertapError } from '../../wire/errors.ts'
import type {
  AppendGroup,
  Claim,
  ClaimOptions,
  DeadLetter,
  Durability,
  Outbox,
  PutAside,
  Settled,
  Settlement,
} from '../contract.ts'
import { openRollupsOf } from '../core/open-rollups.ts'
import { retryDeadIn } from '../core/retry-dead.ts'
import { eventKey } from '../memory/tables.ts'
import { closedError } from './closed-error.ts'
import { Held } from './held.ts'
import { overviews } from './overviews.ts'
import type { Owners } from './owner.ts'
import { putAside } from './put-aside.ts'
import { createRecovery } from './recovery.ts'
import { settleBoth } from './settle-both.ts'

export interface HardTimesDeps extends ResilientOutboxDeps {
  /** Shared with the front (see front.ts), which appends as long as all goes well. */
  readonly owners: Owners
}

export interface ResilientOutboxDeps {
  /** Where everything is stored as long as it can be. */
  readonly primary: Outbox
  /** A spell begins: what cannot be stored is held in memory, and ends with this page. Once a spell. */
  readonly onDegraded: (error: unknown) => void
  /** The spell is over: everything held is stored. */
  readonly onRecovered: () => void
}

/** What a resilient outbox does beyond appending in good times. */
export interface HardTimes {
  /** Whether something is held: then all that is appended is held, too. */
  readonly isOn: boolean
  /** Holds a group that could not be stored, and tries to store it with all else that is held. */
  hold(group: AppendGroup, cause?: unknown): Promise<Durability>
  /** See RecordingOutbox. */
  putAside(underWay: AppendGroup | undefined): PutAside | undefined
  readonly outbox: Omit<Outbox, 'append'>
}

export function hardTimes(deps: HardTimesDeps): HardTimes {
  const { primary, owners } = deps
  const held = new Held(owners)
  const recover = createRecovery(held, deps)
  const views = overviews(held, primary)
  let closed = false
  let previous: Promise<unknown> = Promise.resolve()
  let primaryIsNext = false

  /** Calls that touch what is held run one after the other. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = previous.then(work)
    previous = turn.catch(() => undefined)
    return turn
  }

  /** Straight to the primary as long as nothing is held. */
  function call<T>(direct: () => Promise<T>, degraded: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(closedError())
    return held.streams.size === 0 ? direct() : inTurn(degraded)
  }

  /** Held at once, stored if possible: with all else that is held, or by a try that was under way already. */
  async function hold(group: AppendGroup, cause?: unknown): Promise<Durability> {
    const token = held.hold(group)
    // Trying again at once only helps where the connection was the trouble.
    const isFull = cause instanceof MetertapError && cause.code === 'outbox_full'
    await inTurn(async () => {
      if (token.outcome === undefined) await (isFull ? recover.decline(cause) : recover())
    })
    if (token.outcome === undefined || token.outcome === 'memory') return 'memory'
    return group.strict ? token.outcome : primary.durability
  }

  async function claim(options: ClaimOptions): Promise<Claim | undefined> {
    held.nowMs = Math.max(held.nowMs, options.nowMs)
    if (await recover()) return primary.claim(options)
    // Turn by turn: a primary that is full has to drain, too, however much is recorded meanwhile.
    const stored = primaryIsNext ? await primary.claim(options).catch(() => undefined) : undefined
    primaryIsNext = !primaryIsNext
    if (stored && stored.segments.length > 0) return { ...stored, more: true }
    return (await held.claim(options)) ?? stored ?? primary.claim(options)
  }

  function settle(settlement: Settlement): Promise<Settled> {
    held.nowMs = Math.max(held.nowMs, settlement.nowMs)
    return settleBoth(held, primary, settlement)
  }

  const outbox: HardTimes['outbox'] = {
    durability: primary.durability,
    // Where it comes from is safer than memory.
    restore: (group) => (closed ? Promise.reject(closedError()) : primary.restore(group)),
    claim: (options) =>
      call(
        () => primary.claim(options),
        () => claim(options),
      ),
    settle: (settlement) =>
      call(
        () => primary.settle(settlement),
        () => settle(settlement),
      ),
    release: (given) =>
      call(
        () => primary.release(given),
        async () => {
          held.release(given)
          const segments = given.segments.filter((segment) => held.knows(segment) === undefined)
          if (segments.length > 0) await primary.release({ ...given, segments })
        },
      ),
    purge: (options) =>
      call(
        () => primary.purge(options),
        async () => {
          if (await recover()) return primary.purge(options)
          const dropped = await held.purge(options)
          return dropped + (await primary.purge(options))
        },
      ),
    dropOldest: (options) =>
      call(
        () => primary.dropOldest(options),
        async () => {
          if (await recover()) return primary.dropOldest(options)
          const dropped = await primary.dropOldest(options).catch(() => 0)
          return dropped > 0 ? dropped : held.dropOldest(options)
        },
      ),
    closeRollups: (options) =>
      call(
        () => primary.closeRollups(options),
        async () => {
          if (await recover()) return primary.closeRollups(options)
          const closing = await held.closeRollups(options.streams)
          // Of these the primary may have older sums; they are closed when what is held is stored.
          const streams = options.streams.filter((stream) => !held.streams.has(stream))
          return closing + (streams.length > 0 ? await primary.closeRollups({ streams }) : 0)
        },
      ),
    openRollups: () =>
      call(
        () => primary.openRollups(),
        async () => {
          const here = await openRollupsOf(held.tables)
          const keys = new Set(here.map(eventKey))
          const stored = await primary.openRollups().catch(() => [])
          const isOpen = ({ stream, seq }: { stream: string; seq: number }) =>
            !keys.has(eventKey({ stream, seq })) && !held.streams.get(stream)?.closed.has(seq)
          return [...stored.filter(isOpen), ...here]
        },
      ),
    totals: () => call(() => primary.totals(), views.totals),
    streams: () => call(() => primary.streams(), views.streams),
    deadLetters: () => call(() => primary.deadLetters(), views.deadLetters),
    deleteDeadLetters: (letters) =>
      call(
        () => primary.deleteDeadLetters(letters),
        async () => {
          for (const letter of letters) held.deleteDeadLetter(letter)
          const others = letters.filter((letter) => !held.rows.dead.has(eventKey(letter)))
          if (others.length > 0) await primary.deleteDeadLetters(others)
        },
      ),
    retryDeadLetters: (letters) =>
      call(
        () => primary.retryDeadLetters(letters),
        async () => {
          const here = held.letters().map(eventKey)
          const isHere = (letter: Pick<DeadLetter, 'stream' | 'seq'>) => here.includes(eventKey(letter))
          const others = letters.filter((letter) => !held.rows.dead.has(eventKey(letter)))
          const moved = await retryDeadIn(held.tables, letters.filter(isHere))
          return moved + (others.length > 0 ? await primary.retryDeadLetters(others) : 0)
        },
      ),
    quarantined: () => (closed ? Promise.reject(closedError()) : primary.quarantined()),
    deviceId: () => (closed ? Promise.reject(closedError()) : primary.deviceId()),
    async close() {
      if (closed) return
      closed = true
      await inTurn(async () => void (held.streams.size > 0 && (await recover())))
      await primary.close()
    },
  }
  return {
    outbox,
    get isOn() {
      return held.streams.size > 0
    },
    hold,
    putAside: (underWay) => putAside(held, underWay),
  }
}
