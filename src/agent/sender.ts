import ky from 'ky'
import { eventId } from '../meter/contract.ts'
import type { Claim, Outbox, Segment, Settled, StreamHead } from '../outbox/contract.ts'
import type { LifecycleEvent, PeerMessage, Runtime } from '../runtime/contract.ts'
import { createBackoff } from '../schedule/backoff.ts'
import type { FlushReason } from '../schedule/contract.ts'
import { createDrainer, type Drainer } from '../schedule/drainer.ts'
import { createLeader, type Leader } from '../schedule/leader.ts'
import { createOffline, type Offline } from '../schedule/offline.ts'
import { createPauses, type Pauses } from '../schedule/pauses.ts'
import { createTriggers, type Triggers } from '../schedule/triggers.ts'
import { createWatchdog, type Watchdog } from '../schedule/watchdog.ts'
import type { TokenSource } from '../transport/contract.ts'
import { send } from '../transport/send.ts'
import { createTokenSource } from '../transport/token-source.ts'
import type { Policy } from '../wire/contract.ts'
import { createClockEvidence } from './clock-evidence.ts'
import type { Counters } from './counters.ts'
import { createDeliver, type FailedOutcome } from './deliver.ts'
import { LastWords } from './last-words.ts'
import type { Settings } from './options.ts'
import { closeOrphans } from './orphans.ts'
import type { AgentEvents } from './stats.ts'

export interface SenderOptions {
  readonly settings: Settings
  readonly runtime: Runtime
  readonly counters: Counters
  /** This agent's own stream, for the exit path. */
  readonly head: () => StreamHead
  readonly emit: <E extends keyof AgentEvents>(event: E, detail: Parameters<AgentEvents[E]>[0]) => void
  /** The page is about to be put aside: last chance to store what is in memory. */
  readonly onAway: () => void
}

interface Open {
  readonly outbox: Outbox
  readonly device: string
  readonly leader: Leader
  readonly drainer: Drainer
  readonly post: (message: PeerMessage) => void
  readonly stop: () => void
}

/** Reasons that only tell: their waits are planned elsewhere, so they do not stop a planned try. */
const TELLING = new Set(['auth', 'refused'])
/** Reasons that end a wait chosen by backoff: somebody knows that things have changed, or there is no later. */
const FORCING: ReadonlySet<FlushReason> = new Set(['manual', 'online', 'resume', 'leader', 'close'])
const LEASE_MS = 60_000
/** How long flush() waits for the agent that sends, if that is another one. */
const PEER_WAIT_MS = 10_000
const HOUSEKEEPING_MS = 60_000
/** Bounds on what a relay's policy may wish for. */
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
  readonly #lastWords: LastWords
  readonly #triggers: Triggers
  readonly #offline: Offline
  readonly #watchdog: Watchdog
  #open: Open | undefined
  #cancelHold: (() => void) | undefined
  #cancelHousekeeping: (() => void) | undefined
  /** Whether any meter adds events up. */
  readonly #sums: boolean
  #wake: { atMs: number; cancel: () => void } | undefined
  readonly #onIdle: (() => void)[] = []
  #closed = false

  constructor(options: SenderOptions) {
    const { settings, runtime, head } = options
    this.#options = options
    this.#sums = [...settings.meters.values()].some((meter) => meter.options.aggregate)
    const { now, setTimer } = runtime
    this.#tokens = createTokenSource({ provide: settings.token, now, setTimer })
    const onSettled = (settled: Settled, outbox: Outbox) => this.#report(settled, outbox)
    this.#lastWords = new LastWords({ relay: settings.relay, runtime, head, onSettled })
    this.pauses = createPauses((reasons) => options.emit('paused', { reasons }))
    this.#triggers = createTriggers({ ...settings, setTimer, flush: (reason) => void this.flush(reason) })
    this.#watchdog = createWatchdog({ setTimer, onSilence: () => this.#open?.leader.seize() })
    this.#offline = createOffline({ pauses: this.pauses, setTimer, probe: () => this.flush('retry') })
    if (!runtime.online()) this.#offline.begin()
    if (runtime.prerendering()) this.pauses.add('prerendering')
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
    const onLead = () => runtime.queueMicrotask(() => void this.#takeOffice(outbox))
    const leader = createLeader({ locks, name, onLead })
    const drainer = this.#createDrainer(outbox, device, leader)
    const stop = () => {
      unsubscribe()
      channel?.close()
      leader.stepDown()
      drainer.stop()
    }
    this.#open = { outbox, device, leader, drainer, stop, post: (message) => channel?.post(message) }
    // A trigger may have fired before anybody could be asked.
    if (!this.leads) this.#ask(this.#open, 'flush')
  }

  /** A group was stored: count it, keep it for the exit path, and see that it gets sent in time. */
  stored(segments: readonly Segment[]): void {
    let events = 0
    let bytes = 0
    for (const segment of segments) {
      events += segment.count
      bytes += segment.bytes
    }
    this.#lastWords.stored(segments)
    this.#options.counters.appended(events, bytes)
    this.#triggers.appended(events, bytes)
  }

  /** Sends now if this agent is the sender, else asks the one that is. */
  async flush(reason: FlushReason): Promise<void> {
    const open = this.#open
    if (!open || this.#closed) return
    this.#options.counters.flushed(reason)
    this.#triggers.flushed()
    if (this.leads) await open.drainer.drain(FORCING.has(reason))
    else if (reason === 'manual') await this.#askAndWait(open)
    else this.#ask(open, 'flush')
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
    this.#lastWords.forget()
    this.changed()
  }

  /** The outbox was changed from outside: count anew, and send what there is to send. */
  changed(): void {
    if (this.#open) void this.#count(this.#open.outbox)
    void this.flush('manual')
  }

  async close(): Promise<void> {
    this.#closed = true
    this.pauses.add('closed')
    this.#triggers.stop()
    this.#offline.stop()
    this.#watchdog.stop()
    this.#cancelHold?.()
    this.#cancelHousekeeping?.()
    this.#wake?.cancel()
    this.#open?.stop()
    this.#abort.abort()
  }

  async #takeOffice(outbox: Outbox): Promise<void> {
    await this.#keepHouse(outbox)
    await this.flush('leader')
  }

  /** From time to time the sender looks for what nobody would remind it of: windows of the dead, events put off by others. */
  async #keepHouse(outbox: Outbox): Promise<void> {
    const { counters } = this.#options
    if (this.#closed || !this.leads) return
    if (this.#sums) await this.#closeOrphans(outbox)
    if (counters.waiting > 0) void this.flush('retry')
    this.#planHousekeeping(outbox)
  }

  /** No timer runs on a page that has nothing to look after. */
  #planHousekeeping(outbox: Outbox): void {
    const { runtime, counters } = this.#options
    if (this.#closed || !this.leads || !(this.#sums || counters.waiting > 0)) {
      this.#cancelHousekeeping?.()
      this.#cancelHousekeeping = undefined
      return
    }
    if (this.#cancelHousekeeping) return
    const look = () => {
      this.#cancelHousekeeping = undefined
      void this.#keepHouse(outbox)
    }
    this.#cancelHousekeeping = runtime.setTimer(look, HOUSEKEEPING_MS)
  }

  async #closeOrphans(outbox: Outbox): Promise<void> {
    const { runtime, head } = this.#options
    try {
      await closeOrphans({ outbox, locks: runtime.locks, own: head().stream, nowMs: runtime.now() })
      await this.#count(outbox)
    } catch (error) {
      this.#trouble('internal', String(error))
    }
  }

  /** Whoever sends answers at once; one that does not is replaced. */
  #ask({ post, leader }: Open, kind: 'flush' | 'flush-now'): void {
    post({ kind })
    if (leader.exclusive) this.#watchdog.asked()
  }

  /** Resolves when the sender has done what it could, or has not answered in time. */
  #askAndWait(open: Open): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#options.runtime.setTimer(resolve, PEER_WAIT_MS)
      this.#onIdle.push(() => {
        stop()
        resolve()
      })
      this.#ask(open, 'flush-now')
    })
  }

  #mayRun(): boolean {
    if (this.#closed || !this.leads) return false
    const { probing } = this.#offline
    return this.pauses.reasons.every((reason) => TELLING.has(reason) || (reason === 'offline' && probing))
  }

  #createDrainer(outbox: Outbox, device: string, leader: Leader): Drainer {
    const { settings, runtime } = this.#options
    const { now, gzip, random, setTimer } = runtime
    const timeoutMs = settings.requestTimeoutMs
    const http = ky.create({ retry: 0, throwHttpErrors: false, timeout: false, fetch: runtime.fetch })
    const url = `${settings.relay}/v1/events`
    const sending = { http, url, tokens: this.#tokens, now, gzip, setTimer, timeoutMs, signal: this.#abort.signal }
    const turn = createDeliver({
      outbox,
      device,
      now,
      clock: createClockEvidence(runtime),
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
    const backoff = createBackoff({ random })
    return createDrainer({ turn, mayRun: () => this.#mayRun(), backoff, now, setTimer, onError })
  }

  #onSending(claim: Claim | undefined): void {
    this.#lastWords.sending(claim)
    this.#options.counters.sending(claim?.segments.reduce((sum, { count }) => sum + count, 0))
  }

  #onSettled(outbox: Outbox, settled: Settled, claim: Claim): void {
    this.#lastWords.settled(claim)
    // An answer disproves navigator.onLine, too.
    for (const reason of [...TELLING, 'offline']) this.pauses.remove(reason)
    this.#report(settled, outbox)
    this.#open?.post({ kind: 'settled' })
  }

  #report({ received, dead }: Settled, outbox: Outbox): void {
    const { counters, emit } = this.#options
    counters.accepted += received
    if (received > 0) emit('settled', { received })
    for (const { stream, seq, code, detail } of dead) emit('deadletter', { id: eventId(stream, seq), code, detail })
    void this.#count(outbox)
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
    if (kind === 'flush' || kind === 'flush-now') {
      if (this.leads) this.#serve(open, kind)
      return
    }
    this.#watchdog.heard()
    if (kind !== 'alive') void this.#count(open.outbox)
    if (kind === 'idle') for (const done of this.#onIdle.splice(0)) done()
  }

  /** A peer asks. Twenty tabs' wishes become one request: the sender's own interval gathers them. */
  #serve({ post, drainer }: Open, kind: 'flush' | 'flush-now'): void {
    post({ kind: 'alive' })
    if (kind === 'flush') this.#triggers.appended(0, 0)
    else void drainer.drain(true).then(() => post({ kind: 'idle' }))
  }

  #onLifecycle(event: LifecycleEvent): void {
    switch (event) {
      case 'offline':
        return this.#offline.begin()
      case 'online':
        this.#offline.end()
        return void this.flush('online')
      case 'activated':
        return this.resume('prerendering')
      case 'hidden':
        return this.#speak(event)
      case 'pagehide':
      case 'freeze':
        this.#options.onAway()
        this.#speak(event)
        // A page that is put aside must not keep the lock from those that live.
        return this.#open?.leader.stepDown()
      default:
        this.#open?.leader.stand()
        return void this.flush('visible')
    }
  }

  /** Only the sender speaks; what other agents stored is safe in the outbox that it reads. */
  #speak(event: 'hidden' | 'pagehide' | 'freeze'): void {
    const token = this.#tokens.peek()
    if (!this.#open || token === undefined || !this.#mayRun()) return
    this.#options.counters.flushed(event)
    const { outbox, device } = this.#open
    this.#lastWords.speak({ outbox, device, token, final: event !== 'hidden' })
  }

  async #count(outbox: Outbox): Promise<void> {
    try {
      this.#options.counters.counted(await outbox.totals())
      this.#planHousekeeping(outbox)
    } catch {
      // Only a display: the next append or settlement counts again.
    }
  }
}
