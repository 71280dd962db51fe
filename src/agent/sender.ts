import type { Outbox, Segment, Settled } from '../outbox/contract.ts'
import { bytesIn, eventsIn } from '../outbox/core/sums.ts'
import { type Alarm, createAlarm } from '../schedule/alarm.ts'
import type { FlushReason, PauseReason } from '../schedule/contract.ts'
import type { Drainer } from '../schedule/drainer.ts'
import { createRounds, type Rounds } from '../schedule/rounds.ts'
import { createTriggers, type Triggers } from '../schedule/triggers.ts'
import type { TokenSource } from '../transport/contract.ts'
import { createTokenSource } from '../transport/token-source.ts'
import { countFlush, countLeft } from './counting.ts'
import { createDelivery } from './delivery.ts'
import { LastWords } from './last-words.ts'
import type { Settings } from './options.ts'
import { closeOrphans } from './orphans.ts'
import { Outcomes } from './outcomes.ts'
import { Pace } from './pace.ts'
import { createPageLife, type PageLife } from './page-life.ts'
import { Pausing } from './pausing.ts'
import { Peers } from './peers.ts'
import type { Sending, SendingOptions } from './sending.ts'

export interface SenderOptions extends SendingOptions {
  readonly settings: Settings
}

interface Open {
  readonly outbox: Outbox
  readonly device: string
  readonly peers: Peers
  readonly drainer: Drainer
  readonly stop: () => void
}

/** Reasons that end a wait chosen by backoff: somebody knows that things have changed, or there is no later. */
const FORCING: ReadonlySet<FlushReason> = new Set(['manual', 'online', 'resume', 'leader', 'peer', 'close'])
/** Timers may fire a little before the clock agrees. */
const WAKE_SLACK_MS = 100
/** While a drain goes on, the outbox is counted no more often. */
const RECOUNT_EVERY_MS = 1_000

/** Gets the outbox to the relay: listens to triggers, peers and page life, drains, and leaves last words. */
export class Sender implements Sending<Outbox> {
  readonly #options: SenderOptions
  readonly #pausing: Pausing
  readonly #outcomes: Outcomes
  readonly #abort = new AbortController()
  readonly #tokens: TokenSource
  readonly #lastWords: LastWords
  readonly #triggers: Triggers
  readonly #pace: Pace
  readonly #rounds: Rounds
  readonly #pageLife: PageLife
  /** Rings when events that were hidden are visible again: they have no other reason to be looked at. */
  readonly #wake: Alarm
  #open: Open | undefined
  /** What cannot be stored is held by this agent alone: no other can send it. */
  #isAlone = false
  #closed = false
  #recountAtMs = 0

  constructor(options: SenderOptions) {
    const { settings, runtime, head } = options
    this.#options = options
    const { now, monotonic, setTimer } = runtime
    const retry = () => this.flush('retry')
    const onChange = (reasons: readonly PauseReason[]) => options.emit('paused', { reasons })
    const onCounted = () => this.#rounds.keep(!this.#closed && this.#sends && options.counters.waiting > 0)
    this.#pausing = new Pausing({ setTimer, probe: retry, onChange })
    this.#outcomes = new Outcomes({ ...options, now, onCounted })
    this.#tokens = createTokenSource({ provide: settings.token, now, setTimer })
    const onSettled = (settled: Settled) => this.#report(settled)
    this.#lastWords = new LastWords({ relay: settings.relay, runtime, head, onSettled })
    this.#triggers = createTriggers({ ...settings, setTimer, flush: (reason) => void this.flush(reason) })
    const { pauses, offline } = this.#pausing
    this.#pace = new Pace({ triggers: this.#triggers, pauses, setTimer, onHoldOver: () => void this.flush('resume') })
    this.#rounds = createRounds({ setTimer, look: () => void this.#lookAround('retry') })
    this.#wake = createAlarm({ monotonic, setTimer, ring: () => void retry() })
    this.#pageLife = createPageLife({
      ...options,
      tokens: this.#tokens,
      lastWords: this.#lastWords,
      offline,
      open: () => (this.#closed ? undefined : this.#open),
      mayRun: () => this.#mayRun(),
      onBack: () => {
        options.onBack()
        this.#stand()
      },
      onActivated: () => this.resume('prerendering'),
      flush: (reason) => void this.flush(reason),
    })
    if (!runtime.online()) offline.begin()
    if (runtime.prerendering()) this.pause('prerendering')
  }

  get pausedBy(): readonly PauseReason[] {
    return this.#pausing.pauses.reasons
  }

  get leads(): boolean {
    return this.#open?.peers.leads ?? false
  }

  get nextTryAtMs(): number | undefined {
    return this.#open?.drainer.nextTryAtMs
  }

  /** The outbox is open: take part in sending it. */
  async start(outbox: Outbox): Promise<void> {
    // For diagnostics only: no reason not to send.
    const device = await outbox.deviceId().catch(() => 'unknown')
    await this.#outcomes.count(outbox)
    if (this.#closed) return
    const unsubscribe = this.#options.runtime.onLifecycle((event) => this.#pageLife.hear(event))
    const peers = this.#createPeers(outbox)
    const drainer = this.#createDrainer(outbox, device, peers)
    const stop = () => {
      unsubscribe()
      peers.stop()
      drainer.stop()
    }
    this.#open = { outbox, device, peers, drainer, stop }
    // What happened before anybody listened: the network may be back, the page may be shown.
    if (this.#options.runtime.online()) this.#pausing.offline.end()
    if (!this.#options.runtime.prerendering()) this.#pausing.resume('prerendering')
    if (this.#pausing.isOwn) peers.stepDown()
    // A trigger may have fired before anybody could be asked.
    else peers.ask()
  }

  /** A group was stored: count it, keep it for the exit path, and see that it gets sent in time. */
  stored(segments: readonly Segment[], moreEvents: number): void {
    this.#lastWords.stored(segments)
    this.heard(eventsIn(segments), bytesIn(segments), moreEvents)
  }

  /** Somebody, maybe one who records through this process, stored so much: count it, and send it in time. */
  heard(events: number, bytes: number, moreEvents: number = events): void {
    this.#options.counters.appended(moreEvents, bytes)
    this.#triggers.appended(events, bytes)
    // At once, since this agent may not live to its next interval.
    if (!this.#pausing.isOwn) this.#open?.peers.askOnce()
  }

  /** Sends now if this agent is the sender, else asks the one that is. */
  async flush(reason: FlushReason): Promise<void> {
    const open = this.#open
    if (!open || this.#closed) return
    // An agent that closes soon after its start may be the sender already, and not know it.
    if (reason === 'close') await open.peers.elected()
    countFlush(this.#options.counters, reason)
    this.#triggers.flushed()
    // Others may have stored, too; while sending goes on, each settlement counts.
    if (this.#rests) void this.recount()
    if (this.#sends) {
      await open.drainer.drain(FORCING.has(reason))
      return open.peers.exclusive ? undefined : this.#lookAgain()
    }
    if (this.#pausing.isOwn) return
    if (reason === 'manual') await open.peers.flush()
    else open.peers.ask()
  }

  /** Whether the outbox holds events that only this agent sees, since they could not be stored. */
  setAlone(isAlone: boolean): void {
    this.#isAlone = isAlone
    if (isAlone) void this.flush('retry')
  }

  /** The application pauses this agent alone: another one of the outbox may become the sender. */
  pause(reason: string): void {
    this.#pausing.pause(reason)
    this.#open?.peers.stepDown()
  }

  resume(reason: string): void {
    this.#pausing.resume(reason)
    this.#stand()
    void this.flush('resume')
  }

  /** What waited is gone: nothing of it may leave on the exit path either, neither here nor in another tab. */
  purged(): void {
    this.#open?.peers.tell('purged')
    this.dropped()
  }

  /** As purged(), but for what this agent alone gave up: others find out when they look. */
  dropped(): void {
    this.#lastWords.forget()
    this.changed()
  }

  /** The outbox was changed from outside: count anew, and send what there is to send. */
  changed(): void {
    void this.recount()
    void this.flush('peer')
  }

  async recount(): Promise<void> {
    if (this.#open) await this.#outcomes.count(this.#open.outbox)
  }

  close(): void {
    this.#closed = true
    this.#outcomes.close()
    for (const each of [this.#pausing, this.#triggers, this.#pace, this.#rounds, this.#wake]) each.stop()
    this.#open?.stop()
    this.#abort.abort()
  }

  get #sends(): boolean {
    return this.leads || this.#isAlone
  }

  /** Nothing is sent right now, until something else happens. */
  get #rests(): boolean {
    return !this.#mayRun() || this.nextTryAtMs !== undefined
  }

  #createPeers(outbox: Outbox): Peers {
    const { settings, runtime, head } = this.#options
    return new Peers({
      runtime,
      name: `metertap:${settings.outbox}:${encodeURIComponent(settings.account)}`,
      isShared: outbox.durability !== 'memory',
      own: () => head().stream,
      hooks: {
        onOffice: () => this.#lookAround('leader'),
        onWish: () => this.#triggers.appended(0, 0),
        onFlush: () => this.#open?.drainer.drain(true) ?? Promise.resolve(),
        onChanged: () => void this.recount(),
        onPurged: () => {
          this.#lastWords.forget()
          this.#options.onPurged()
          void this.recount()
        },
      },
    })
  }

  #createDrainer(outbox: Outbox, device: string, peers: Peers): Drainer {
    return createDelivery({
      ...this.#options,
      tokens: this.#tokens,
      outbox,
      device,
      isExclusive: () => peers.exclusive,
      mayRun: () => this.#mayRun(),
      signal: this.#abort.signal,
      hooks: {
        onSending: (claim) => {
          this.#lastWords.sending(claim)
          this.#outcomes.sending(claim)
        },
        onSettled: (settled, judged) => {
          this.#lastWords.settled(judged)
          this.#pausing.answered()
          this.#report(settled)
          peers.tell('settled')
        },
        onFailed: (outcome) => {
          this.#pausing.failed(outcome)
          this.#outcomes.failed(outcome)
        },
        onDeferred: (delayMs) => {
          if (!this.#closed) this.#wake.within(delayMs + WAKE_SLACK_MS)
        },
        onPolicy: (policy) => {
          if (!this.#closed) this.#pace.obey(policy)
        },
      },
      onError: (error) => this.#outcomes.thrown(error),
    })
  }

  /** Where every agent sends, another may have in hand what waits: it tells nobody when it is done, nor when it dies. */
  async #lookAgain(): Promise<void> {
    await this.recount()
    if (this.#options.counters.waiting > 0 && !this.#rests) this.#triggers.appended(0, 0)
  }

  /** What nobody would remind the sender of: windows of the dead, events put off, what a new sender finds. */
  async #lookAround(reason: 'leader' | 'retry'): Promise<void> {
    const open = this.#open
    if (!open || this.#closed || !this.#sends) return
    const { runtime, head } = this.#options
    try {
      const { outbox } = open
      await closeOrphans({ outbox, locks: runtime.locks, own: head().stream, nowMs: runtime.now() })
    } catch (error) {
      this.#outcomes.thrown(error)
    }
    await this.flush(reason)
    await this.recount()
  }

  #stand(): void {
    if (!this.#pausing.isOwn && !this.#pageLife.isAway) this.#open?.peers.stand()
  }

  #mayRun(): boolean {
    return !this.#closed && this.#sends && this.#pausing.allows
  }

  #report(settled: Settled): void {
    const { counters, runtime } = this.#options
    // Before anybody is told, so that stats() says the same.
    countLeft(counters, settled.received)
    this.#outcomes.settled(settled)
    if (settled.totals) return
    // A long drain settles many times a second; its last answer always counts.
    const nowMs = runtime.monotonic()
    if (counters.waiting > 0 && settled.dead.length === 0 && nowMs < this.#recountAtMs) return
    this.#recountAtMs = nowMs + RECOUNT_EVERY_MS
    void this.recount()
  }
}
