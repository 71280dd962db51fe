import type { DeadLetter, Segment } from '../../outbox/contract.ts'
import { createMemoryOutbox } from '../../outbox/memory/open.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { backoffMs } from '../../schedule/backoff.ts'
import { createTokenSource } from '../../transport/token-source.ts'
import type { Range } from '../../wire/contract.ts'
import { rangeCount } from '../../wire/ranges.ts'
import type { FailedOutcome } from '../deliver.ts'
import { createTurn, type TurnOptions } from '../delivery.ts'
import type { RelayAccess } from './bindings.ts'
import type { Desk } from './isolate.ts'
import { numbersGone } from './leftovers.ts'

export interface StraightOptions {
  readonly desk: Desk
  readonly account: string
  readonly meters: readonly string[]
  readonly access: RelayAccess
  readonly runtime: Runtime
  /** What the relay will not take: true keeps it among the leftovers, for a Durable Object to bury. */
  readonly keepsDead: boolean
  readonly onDead: (letters: readonly DeadLetter[]) => void
  readonly onFailed: (outcome: FailedOutcome) => void
}

/** How long the first event waits for others, ms: one request for what a handler records here and there. */
const LINGER_MS = 200
/** A request lives on for 30 s after its response; this much of it is used. */
const PATIENCE_MS = 25_000
/** A Worker on the free plan may make 50 requests of its own, and has others to make. */
const MAX_REQUESTS = 12
const BACKOFF = { baseMs: 250, capMs: 5_000 }
const SETTINGS = {
  overflow: 'reject-new',
  requestTimeoutMs: 10_000,
  maxBatchBytes: 524_288,
  maxBatchEvents: 2_000,
} as const

/** Sends an isolate's leftovers to the relay from memory, for as long as the request lives that it belongs to. */
export class StraightLine {
  readonly #options: StraightOptions
  #running: Promise<void> | undefined
  /** Asked to send since the run under way looked last: it may be about to end, for a reason that is gone. */
  #again = false
  #requests = 0
  #failures = 0
  #untilMs = Number.POSITIVE_INFINITY
  /** The relay wants some events later. */
  #deferredMs = 0
  /** Ends the pause that is being made, if it may be ended. */
  #goOn = () => {}
  /** Somebody waits for what can be done now. */
  #askers: (() => void)[] = []

  constructor(options: StraightOptions) {
    this.#options = options
  }

  /** Resolves when nothing is left that is not being sent, or this request has done what it could. */
  send(): Promise<void> {
    this.#again = true
    this.#running ??= this.#run()
    return this.#running
  }

  /** Sends without delay; resolves when nothing is left or sending has to wait, and goes on in the background. */
  now(): Promise<void> {
    const { desk, runtime } = this.#options
    if (!desk.rest.isMandatory) desk.rest = { untilMs: 0, isMandatory: false }
    this.#requests = 0
    this.#untilMs = runtime.monotonic() + PATIENCE_MS
    const done = new Promise<void>((resolve) => void this.#askers.push(resolve))
    void this.send()
    this.#goOn()
    return done
  }

  get isOver(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  async #run(): Promise<void> {
    const { runtime } = this.#options
    if (this.#untilMs === Number.POSITIVE_INFINITY) this.#untilMs = runtime.monotonic() + PATIENCE_MS
    try {
      await this.#pause(LINGER_MS)
      while (this.#again) {
        this.#again = false
        await this.#sendLeftovers()
      }
    } finally {
      // In the same step as the last look: what comes later starts anew.
      this.#running = undefined
      this.#answer()
    }
  }

  async #sendLeftovers(): Promise<void> {
    const { desk, runtime } = this.#options
    while (await this.#rested()) {
      const taken = desk.leftovers.take(runtime.now(), runtime.now() + PATIENCE_MS)
      if (taken.length === 0 && this.#unreported <= desk.reported) break
      await this.#session(taken)
      if (this.#deferredMs > 0) this.#rest(this.#deferredMs, true)
      this.#deferredMs = 0
    }
  }

  /** Waits for as long as the relay is to be left alone; false when this request has not so much time. */
  async #rested(): Promise<boolean> {
    const { desk, runtime } = this.#options
    for (;;) {
      const restMs = desk.rest.untilMs - runtime.now()
      const hasTime = runtime.monotonic() + Math.max(0, restMs) < this.#untilMs
      if (!hasTime || this.#requests >= MAX_REQUESTS || desk.paused.size > 0) return false
      if (restMs <= 0) return true
      this.#answer()
      await this.#pause(restMs, desk.rest.isMandatory)
    }
  }

  /** All requests of the isolate leave the relay alone for so long. */
  #rest(delayMs: number, isMandatory: boolean): void {
    const { desk, runtime } = this.#options
    desk.rest = { untilMs: runtime.now() + delayMs, isMandatory }
  }

  #answer(): void {
    for (const answer of this.#askers.splice(0)) answer()
  }

  /** What only a report tells: refused and dropped events. */
  get #unreported(): number {
    if (this.#options.keepsDead) return 0
    const { refused, dropped = {} } = this.#options.desk.book.head(this.#options.account)
    return [...Object.values(refused), ...Object.values(dropped)].reduce((sum, count) => sum + count, 0)
  }

  /** Gets these to the relay by the same turns that empty any outbox. */
  async #session(taken: readonly Segment[]): Promise<void> {
    const { desk, account, runtime } = this.#options
    const unreported = this.#unreported
    let left: readonly Segment[] = taken
    let aside: readonly Segment[] = []
    try {
      const outbox = createMemoryOutbox({ random: runtime.newStreamId })
      await outbox.append({ head: desk.book.head(account), segments: taken, strict: false })
      const isEmpty = await this.#drain(this.#createTurn(outbox))
      if (isEmpty) desk.reported = unreported
      const claim = await outbox.claim({ accountTag: account, ...EVERYTHING })
      left = claim?.segments ?? []
      const dead = await outbox.deadLetters()
      const buried = dead.map((letter) => segmentOfLetter(letter, runtime.utf8Length))
      this.#note(numbersGone(taken, [...left, ...buried]))
      if (this.#options.keepsDead) aside = buried
      else if (dead.length > 0) this.#options.onDead(dead)
    } finally {
      desk.leftovers.giveBack(taken, left, aside)
    }
  }

  async #drain(turn: ReturnType<typeof createTurn>): Promise<boolean> {
    const { runtime } = this.#options
    for (let follows = false; await this.#rested(); follows = true) {
      const result = await turn(follows)
      if (result.kind === 'empty') return true
      this.#requests++
      if (result.kind === 'more') this.#failures = 0
      else {
        const delayMs = backoffMs({ ...BACKOFF, random: runtime.random }, this.#failures++, result.atLeastMs)
        this.#rest(delayMs, result.byServer ?? false)
      }
    }
    return false
  }

  #note(delivered: readonly Range[]): void {
    const { desk, keepsDead } = this.#options
    desk.settled += rangeCount(delivered)
    if (keepsDead) desk.leftovers.delivered(delivered)
  }

  #createTurn(outbox: TurnOptions['outbox']): ReturnType<typeof createTurn> {
    const { desk, account, meters, access, runtime, onFailed } = this.#options
    const { now, setTimer } = runtime
    const device = `worker:${desk.book.stream}`
    const provide = () => access.token(account, meters, device)
    return createTurn({
      outbox,
      device,
      runtime,
      settings: { ...SETTINGS, account, relay: access.relay },
      tokens: createTokenSource({ provide, now, setTimer, kept: desk.token, timeoutMs: SETTINGS.requestTimeoutMs }),
      isExclusive: () => true,
      signal: new AbortController().signal,
      hooks: {
        onSending: () => {},
        onSettled: () => {},
        onFailed,
        onDeferred: (delayMs) => {
          this.#deferredMs = delayMs
        },
        onPolicy: () => {},
      },
    })
  }

  #pause(delayMs: number, isMandatory = false): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.runtime.setTimer(resolve, delayMs)
      this.#goOn = () => {
        if (isMandatory) return
        cancel()
        resolve()
      }
    })
  }
}

export function segmentOfLetter({ stream, seq, event }: DeadLetter, utf8Length: (text: string) => number): Segment {
  return { stream, first: seq, count: 1, bytes: utf8Length(event), body: event }
}

const EVERYTHING = {
  maxBytes: Number.POSITIVE_INFINITY,
  maxEvents: Number.POSITIVE_INFINITY,
  // Events put off count as well.
  nowMs: Number.POSITIVE_INFINITY,
  leaseMs: 0,
}
