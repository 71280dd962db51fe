import ky from 'ky'
import { eventId } from '../meter/contract.ts'
import type { Claim, Outbox, Segment, Settled, StreamHead } from '../outbox/contract.ts'
import type { LifecycleEvent, PeerMessage, Runtime } from '../runtime/contract.ts'
import { createBackoff } from '../schedule/backoff.ts'
import type { FlushReason } from '../schedule/contract.ts'
import { createDrainer, type Drainer } from '../schedule/drainer.ts'
import { createLeader, type Leader } from '../schedule/leader.ts'
import { createPauses, type Pauses } from '../schedule/pauses.ts'
import { createTriggers, type Triggers } from '../schedule/triggers.ts'
import type { TokenSource } from '../transport/contract.ts'
import { createExitCourier, EXIT_BUDGET_BYTES, type ExitCourier } from '../transport/exit.ts'
import { send } from '../transport/send.ts'
import { createTokenSource } from '../transport/token-source.ts'
import type { Policy } from '../wire/contract.ts'
import type { Counters } from './counters.ts'
import { createDeliver, type FailedOutcome } from './deliver.ts'
import { ExitMirror } from './exit.ts'
import type { Settings } from './options.ts'
import type { AgentEvents } from './stats.ts'

export interface SenderOptions {
  readonly settings: Settings
  readonly runtime: Runtime
  readonly counters: Counters
  /** This agent's own stream, for the exit path. */
  readonly head: () => StreamHead
  readonly emit: <E extends keyof AgentEvents>(event: E, detail: Parameters<AgentEvents[E]>[0]) => void
}

/** Reasons that only tell: their waits are planned elsewhere, so they do not stop a planned try. */
const TELLING = new Set(['auth', 'refused'])
/** navigator.onLine can be wrong for weeks: look for ourselves now and then. */
const OFFLINE_PROBE_MS = 60_000
const LEASE_MS = 60_000
/** The relay's policy is followed within these. */
const MIN_FLUSH_INTERVAL_MS = 1_000
const MAX_FLUSH_INTERVAL_MS = 3_600_000
const MAX_HOLD_MS = 86_400_000
/** Timers may fire a little before the clock agrees. */
const WAKE_SLACK_MS = 100

/** Gets the outbox to the relay: elects the sender, listens to triggers and page life, drains, and leaves last words. */
export class Sender {
  readonly pauses: Pauses
  readonly #options: SenderOptions
  readonly #abort = new AbortController()
  readonly #tokens: TokenSource
  readonly #courier: ExitCourier
  readonly #mirror = new ExitMirror(EXIT_BUDGET_BYTES)
  readonly #triggers: Triggers
  #open: { outbox: Outbox; device: string; leader: Leader; drainer: Drainer; stop: () => void } | undefined
  #probing = false
  #cancelProbe: (() => void) | undefined
  #cancelHold: (() => void) | undefined
  #wake: { atMs: number; cancel: () => void } | undefined
  #sendingFirsts = new Set<number>()
  #closed = false

  constructor(options: SenderOptions) {
    const { settings, runtime } = options
    this.#options = options
    const { now, setTimer } = runtime
    this.#tokens = createTokenSource({ provide: settings.token, now, setTimer })
    const url = `${settings.relay}/v1/exit`
    this.#courier = createExitCourier({ fetch: runtime.fetch, url, utf8Length: runtime.utf8Length })
    this.pauses = createPauses((reasons) => options.emit('paused', { reasons }))
    this.#triggers = createTriggers({ ...settings, setTimer, flush: (reason) => void this.flush(reason) })
    if (!runtime.online()) this.#offline()
  }

  get leads(): boolean {
    return this.#open?.leader.leads ?? false
  }

  get nextTryAtMs(): number | undefined {
    return this.#open?.drainer.nextTryAtMs
  }

  /** The outbox is open: take part in sending it. */
  async start(outbox: Outbox): Promise<void> {
    // For diagnostics only: no reason not to send.
    const device = await outbox.deviceId().catch(() => 'unknown')
    await this.#count(outbox)
    if (this.#closed) return
    const { settings, runtime } = this.#options
    const name = `metertap:${settings.outbox}:${settings.account}`
    const channel = runtime.openChannel(name, (message) => this.#onPeer(message))
    const unsubscribe = runtime.onLifecycle((event) => this.#onLifecycle(event))
    // An outbox in memory is this agent's alone: nobody else can send it.
    const locks = outbox.durability === 'memory' ? undefined : runtime.locks
    const onLead = () => runtime.queueMicrotask(() => void this.flush('leader'))
    const leader = createLeader({ locks, name, onLead })
    const drainer = this.#createDrainer(outbox, device, leader)
    const stop = () => {
      unsubscribe()
      channel?.close()
      leader.resign()
      drainer.stop()
    }
    this.#post = (message) => channel?.post(message)
    this.#open = { outbox, device, leader, drainer, stop }
    // A trigger may have fired before anybody could be asked.
    if (!this.leads) this.#post({ kind: 'flush' })
  }

  /** A group was stored: count it, keep it for the exit path, and see that it gets sent in time. */
  stored(segments: readonly Segment[]): void {
    let events = 0
    let bytes = 0
    for (const segment of segments) {
      events += segment.count
      bytes += segment.bytes
      this.#mirror.add(segment)
    }
    this.#options.counters.appended(events, bytes)
    this.#triggers.appended(events, bytes)
  }

  /** Sends now if this agent is the sender, else asks the one that is. */
  async flush(reason: FlushReason): Promise<void> {
    if (!this.#open || this.#closed) return
    this.#options.counters.flushed(reason)
    this.#triggers.flushed()
    if (!this.leads) return this.#post({ kind: 'flush' })
    await this.#open.drainer.drain(FORCING.has(reason))
  }

  pause(reason: string): void {
    this.pauses.add(reason)
  }

  resume(reason: string): void {
    this.pauses.remove(reason)
    void this.flush('resume')
  }

  /** What waited is gone: nothing of it may leave on the exit path either. */
  purged(): void {
    this.#mirror.clear()
    if (this.#open) void this.#count(this.#open.outbox)
    void this.flush('manual')
  }

  async close(): Promise<void> {
    this.#closed = true
    this.pauses.add('closed')
    this.#triggers.stop()
    this.#cancelProbe?.()
    this.#cancelHold?.()
    this.#wake?.cancel()
    this.#open?.stop()
    this.#abort.abort()
  }

  #post: (message: PeerMessage) => void = () => {}

  #mayRun(): boolean {
    if (this.#closed || !this.leads) return false
    return this.pauses.reasons.every((reason) => TELLING.has(reason) || (reason === 'offline' && this.#probing))
  }

  #createDrainer(outbox: Outbox, device: string, leader: Leader): Drainer {
    const { settings, runtime } = this.#options
    const { now, gzip, random, setTimer } = runtime
    const http = ky.create({
      retry: 0,
      throwHttpErrors: false,
      timeout: false,
      fetch: runtime.fetch,
    })
    const sending = {
      http,
      url: `${settings.relay}/v1/events`,
      tokens: this.#tokens,
      now,
      gzip,
      setTimer,
      timeoutMs: settings.requestTimeoutMs,
      signal: this.#abort.signal,
    }
    const turn = createDeliver({
      outbox,
      device,
      now,
      accountTag: settings.account,
      limits: { maxBatchBytes: settings.maxBatchBytes, maxBatchEvents: settings.maxBatchEvents },
      get leaseMs() {
        return leader.exclusive ? 0 : LEASE_MS
      },
      send: (text) => send(sending, text),
      hooks: {
        onSending: (claim) => this.#onSending(claim),
        onSettled: (settled, claim) => this.#onSettled(outbox, settled, claim),
        onFailed: (outcome) => this.#onFailed(outcome),
        onDeferred: (delayMs) => this.#wakeAfter(delayMs),
        onPolicy: (policy) => this.#onPolicy(policy),
      },
    })
    const onError = (error: unknown) => this.#trouble('internal', String((error as Error)?.message ?? error))
    return createDrainer({
      turn,
      mayRun: () => this.#mayRun(),
      backoff: createBackoff({ random }),
      now,
      setTimer,
      onError,
    })
  }

  #onSending(claim: Claim | undefined): void {
    const own = this.#options.head().stream
    const segments = claim?.segments ?? []
    this.#sendingFirsts = new Set(segments.filter(({ stream }) => stream === own).map(({ first }) => first))
    this.#options.counters.sending(claim && segments.reduce((sum, { count }) => sum + count, 0))
  }

  #onSettled(outbox: Outbox, settled: Settled, claim: Claim): void {
    const own = this.#options.head().stream
    for (const { stream, first } of claim.segments) if (stream === own) this.#mirror.remove(first)
    // An answer disproves navigator.onLine, too.
    for (const reason of [...TELLING, 'offline']) this.pauses.remove(reason)
    this.#report(settled)
    void this.#count(outbox)
    this.#post({ kind: 'settled' })
  }

  #report({ received, dead }: Settled): void {
    const { counters, emit } = this.#options
    counters.accepted += received
    if (received > 0) emit('settled', { received })
    for (const { stream, seq, code, detail } of dead) emit('deadletter', { id: eventId(stream, seq), code, detail })
  }

  #onFailed(outcome: FailedOutcome): void {
    if (outcome.kind === 'unauthorized') this.pauses.add('auth')
    if (outcome.kind === 'refused') this.pauses.add('refused')
    this.#trouble(outcome.kind === 'unauthorized' ? 'unauthorized' : outcome.code, outcome.detail)
  }

  #trouble(code: string, detail: string): void {
    // What was cut off by close() is no news.
    if (this.#closed) return
    this.#options.counters.lastTrouble = { code, detail, atMs: this.#options.runtime.now() }
    this.#options.emit('trouble', { code, detail })
  }

  #onPolicy({ flushIntervalMs, holdMs }: Policy): void {
    if (flushIntervalMs) {
      this.#triggers.setIntervalMs(Math.min(Math.max(flushIntervalMs, MIN_FLUSH_INTERVAL_MS), MAX_FLUSH_INTERVAL_MS))
    }
    if (!holdMs || this.#closed) return
    this.pauses.add('hold')
    this.#cancelHold?.()
    this.#cancelHold = this.#options.runtime.setTimer(() => this.resume('hold'), Math.min(holdMs, MAX_HOLD_MS))
  }

  /** Deferred events have no other reason to be looked at again. One timer: at its time all of them are visible. */
  #wakeAfter(delayMs: number): void {
    const { now, setTimer } = this.#options.runtime
    const atMs = now() + delayMs + WAKE_SLACK_MS
    if (this.#closed || (this.#wake && this.#wake.atMs >= atMs)) return
    this.#wake?.cancel()
    const onWake = () => {
      this.#wake = undefined
      void this.flush('retry')
    }
    this.#wake = { atMs, cancel: setTimer(onWake, delayMs + WAKE_SLACK_MS) }
  }

  #onPeer({ kind }: PeerMessage): void {
    const open = this.#open
    if (!open) return
    if (kind === 'settled') void this.#count(open.outbox)
    // Twenty tabs' wishes become one request: the sender's own interval gathers them.
    else if (this.leads) this.#triggers.appended(0, 0)
  }

  #onLifecycle(event: LifecycleEvent): void {
    if (event === 'offline') this.#offline()
    else if (event === 'online') {
      this.#cancelProbe?.()
      this.pauses.remove('offline')
      void this.flush('online')
    } else if (event === 'hidden' || event === 'pagehide') this.#leave(event)
    else void this.flush('visible')
  }

  #offline(): void {
    this.pauses.add('offline')
    this.#cancelProbe?.()
    this.#cancelProbe = this.#options.runtime.setTimer(() => void this.#probe(), OFFLINE_PROBE_MS)
  }

  async #probe(): Promise<void> {
    this.#probing = true
    await this.flush('retry')
    this.#probing = false
    if (this.pauses.has('offline') && !this.#closed) this.#offline()
  }

  /** Last words: only the sender speaks; what other agents stored is safe in the outbox that it reads. */
  #leave(event: 'hidden' | 'pagehide'): void {
    const token = this.#tokens.peek()
    const open = this.#open
    if (!open || token === undefined || !this.#mayRun()) return
    this.#options.counters.flushed(event)
    const { stream: id, recorded, dropped = {}, refused } = this.#options.head()
    // A page that is only hidden will see its request's answer; one that goes may not.
    const except = event === 'hidden' ? this.#sendingFirsts : undefined
    const onSettled = (settled: Settled) => {
      this.#report(settled)
      void this.#count(open.outbox)
    }
    const { outbox, device } = open
    const exit = { courier: this.#courier, outbox, device, now: this.#options.runtime.now, onSettled }
    this.#mirror.send(exit, { id, recorded, dropped, refused }, token, except)
  }

  async #count(outbox: Outbox): Promise<void> {
    try {
      this.#options.counters.counted(await outbox.totals())
    } catch {
      // Only a display: the next append or settlement counts again.
    }
  }
}

/** Reasons that end a wait chosen by backoff: somebody knows that things have changed, or there is no later. */
const FORCING: ReadonlySet<FlushReason> = new Set(['manual', 'online', 'resume', 'leader', 'close'])
