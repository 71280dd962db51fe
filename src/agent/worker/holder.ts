import type { DeadLetter, Outbox, OutboxTotals, StreamSummary } from '../../outbox/contract.ts'
import { bytesIn, eventsIn } from '../../outbox/core/sums.ts'
import type { Runtime } from '../../runtime/contract.ts'
import type { MetertapError } from '../../wire/errors.ts'
import { lettersOf, ownLetters, streamsOf, totalsOf } from './account-reads.ts'
import { checkRequest, heldElsewhere } from './append-request.ts'
import type { RelayAccess } from './bindings.ts'
import { Heads } from './heads.ts'
import { type FilledSettings, filledSettings, type HolderSettings } from './holder-settings.ts'
import { type Allowance, Lane } from './lane.ts'
import { afterDrain, appended, forced, mustWait, type Plan, type PlanTimes, withMeters } from './plan.ts'
import type { Plans } from './plans.ts'
import type { AppendReply, AppendRequest } from './protocol.ts'
import { Room } from './room.ts'

/** The alarm of a Durable Object. */
export interface AlarmClock {
  set(atMs: number): void
  clear(): void
}

export interface HolderOptions {
  readonly outbox: Outbox
  readonly plans: Plans
  readonly alarm: AlarmClock
  readonly runtime: Runtime
  /** Throws a MetertapError that says what is missing. */
  readonly access: () => RelayAccess
  readonly settings: HolderSettings
  /** Resolves when all that was written so far is safe. */
  readonly synced: () => Promise<void>
  /** What the relay's ledger calls this object. */
  readonly device: string
}

/** One account, for an operator. */
export interface AccountStatus extends Plan, OutboxTotals {}

/**
 * A run that was cut off is repeated after this, ms: the platform's own six retries may be used up. An alarm that comes due
 * while a run goes on waits for its end, and the end sets another.
 */
const SAFETY_MS = 10_000
/** A run takes no longer than this, about; the rest is another run's. */
const RUN_MS = 60_000
/** A Worker may have six connections open; some are left for tokens. */
const LANES = 4
/** No account takes more of one run while others wait. */
const MAX_REQUESTS_EACH = 10
const MAX_DUE = 200

/** Keeps events of many accounts and sees that they are sent, each account's under its own token, by one alarm. */
export class Holder {
  readonly #options: HolderOptions
  readonly #settings: FilledSettings
  readonly #lanes = new Map<string, Lane>()
  #heads: Promise<Heads> | undefined
  readonly #room: Room
  /** Undefined: not known. */
  #alarmAtMs: number | null | undefined

  constructor(options: HolderOptions) {
    this.#options = options
    this.#settings = filledSettings(options.settings)
    this.#room = new Room({ ...options, settings: this.#settings })
  }

  /** Resolves once the group survives a power cut. */
  async append(request: AppendRequest): Promise<AppendReply> {
    const { account, group, elsewhere, meters } = request
    checkRequest(request)
    const { outbox, synced, runtime } = this.#options
    const bytes = bytesIn(group.segments)
    await this.#room.admit(bytes)
    this.#heads ??= outbox.streams().then((streams) => new Heads(streams))
    const heads = await this.#heads
    // From here on in one step, so that events, plan and alarm are one commit.
    const stored = outbox.append({ ...group, head: heads.newest(group.head) })
    const lane = this.#laneOf(withMeters(this.#options.plans.of(account), meters))
    lane.fresh.events += eventsIn(group.segments)
    lane.fresh.bytes += bytes
    const isMuch = lane.fresh.events >= this.#settings.flushEvents || lane.fresh.bytes >= this.#settings.flushBytes
    this.#change(account, (plan) => appended(withMeters(plan, meters), isMuch, this.#times(lane)))
    const durability = await stored
    this.#room.grew(bytes)
    if (elsewhere.length > 0) {
      await outbox.settle(heldElsewhere(group.head.stream, elsewhere, runtime.now()))
    }
    await this.#room.make()
    await synced()
    const trouble = this.#missing()
    const { pausedBy } = this.#options.plans.of(account)
    return { durability, pausedBy, ...(trouble ? { trouble } : {}) }
  }

  /** Sends what waits of the account; resolves when nothing is left to send or sending has to wait. */
  async flush(account: string): Promise<void> {
    this.#change(account, (plan) => forced(plan, this.#times()))
    const plan = this.#options.plans.of(account)
    if (plan.pausedBy.length > 0 || mustWait(plan, this.#options.runtime.now())) return
    const allowance = this.#allowance()
    await this.#drain(plan, allowance)
    this.#setAlarm()
  }

  async pause(account: string, reason: string): Promise<void> {
    this.#change(account, (plan) => ({ ...plan, pausedBy: [...new Set([...plan.pausedBy, reason])] }))
  }

  async resume(account: string, reason: string): Promise<void> {
    this.#change(account, (plan) => {
      return forced({ ...plan, pausedBy: plan.pausedBy.filter((each) => each !== reason) }, this.#times())
    })
  }

  async purge(account: string, reason: string): Promise<number> {
    const events = await this.#options.outbox.purge({ reason, accountTag: account })
    this.#recount(account)
    return events
  }

  async dropOldest(account: string, reason: string, bytes: number): Promise<number> {
    const nowMs = this.#options.runtime.now()
    const events = await this.#options.outbox.dropOldest({ bytes, reason, nowMs, accountTag: account })
    this.#recount(account)
    return events
  }

  totals(account: string): Promise<OutboxTotals> {
    return totalsOf(this.#options.outbox, account)
  }

  streams(account: string): Promise<StreamSummary[]> {
    return streamsOf(this.#options.outbox, account)
  }

  deadLetters(account: string): Promise<DeadLetter[]> {
    return lettersOf(this.#options.outbox, account)
  }

  async deleteDeadLetters(account: string, letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<void> {
    const { outbox } = this.#options
    await outbox.deleteDeadLetters(await ownLetters(outbox, account, letters))
  }

  async retryDeadLetters(account: string, letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<number> {
    const { outbox } = this.#options
    const retried = await outbox.retryDeadLetters(await ownLetters(outbox, account, letters))
    this.#recount(account)
    return retried
  }

  /** Every account that this object has known. */
  async status(): Promise<AccountStatus[]> {
    const plans = this.#options.plans.all()
    return Promise.all(plans.map(async (plan) => ({ ...plan, ...(await this.totals(plan.account)) })))
  }

  /** The alarm rang: sends what is due. An account that fails waits by itself; nothing is thrown that could be caught. */
  async ring(): Promise<void> {
    const { plans, runtime } = this.#options
    const nowMs = runtime.now()
    const due = plans.due(nowMs, MAX_DUE)
    this.#alarmAtMs = undefined
    if (due.length > 0) this.#options.alarm.set(nowMs + SAFETY_MS)
    const allowance = this.#allowance()
    const queue = [...due]
    const work = async () => {
      for (let plan = queue.shift(); plan && allowance.requests > 0; plan = queue.shift()) {
        await this.#drain(plan, allowance)
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: LANES }, work))
    this.#setAlarm()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  async #drain(plan: Plan, allowance: Allowance): Promise<void> {
    const { plans } = this.#options
    const { account } = plan
    const lane = this.#laneOf(plan)
    const share = { requests: Math.min(allowance.requests, MAX_REQUESTS_EACH), untilMs: allowance.untilMs }
    allowance.requests -= share.requests
    const isFirst = !lane.isBusy
    const { dueAtMs } = plans.of(account)
    const drained = await lane.drain(share)
    allowance.requests += share.requests
    // Whoever joined a drain under way leaves the plan to the one who began it.
    if (isFirst) plans.put(afterDrain(plans.of(account), dueAtMs, drained, this.#times(lane)))
    this.#room.changed()
  }

  /** The lane of the plan's account; a token that allows too little is left behind with its lane. */
  #laneOf(plan: Plan): Lane {
    const { account, meters } = plan
    const known = this.#lanes.get(account)
    if (known?.allows(meters)) return known
    const { outbox, runtime, access, settings, device } = this.#options
    const lane = new Lane({
      ...{ account, meters, outbox, runtime, access, device },
      // Its last request is under way under a token that allows too little for what comes now.
      after: known?.end(),
      settings: this.#settings,
      mayRun: () => this.#options.plans.of(account).pausedBy.length === 0,
      onTrouble: (code, detail) => {
        this.#options.plans.put({ ...this.#options.plans.of(account), trouble: { code, detail, atMs: runtime.now() } })
        this.#tell(() => settings.onTrouble?.(account, { code, detail }))
      },
      onDead: (letters) => this.#tell(() => settings.onDeadLetters?.(account, letters)),
    })
    if (known) lane.fresh = known.fresh
    this.#lanes.set(account, lane)
    return lane
  }

  /** The application's own code disturbs nothing. */
  #tell(word: () => void): void {
    try {
      word()
    } catch (error) {
      this.#options.runtime.reportError(error)
    }
  }

  /** Changes an account's plan, and the alarm with it. */
  #change(account: string, change: (plan: Plan) => Plan): void {
    const { plans } = this.#options
    const before = plans.of(account)
    plans.put(change(before), before)
    this.#setAlarm()
  }

  #recount(account: string): void {
    this.#room.changed()
    this.#change(account, (plan) => appended(plan, true, this.#times()))
  }

  #setAlarm(): void {
    const { plans, alarm, runtime } = this.#options
    const nextMs = plans.nextDueAtMs
    if (nextMs === undefined) {
      if (this.#alarmAtMs !== null) alarm.clear()
      this.#alarmAtMs = null
      return
    }
    const atMs = Math.max(nextMs, runtime.now())
    if (this.#alarmAtMs === atMs) return
    alarm.set(atMs)
    this.#alarmAtMs = atMs
  }

  /** What is missing to send at all. */
  #missing(): AppendReply['trouble'] {
    try {
      this.#options.access()
      return undefined
    } catch (error) {
      const { code, message } = error as MetertapError
      return { code, message }
    }
  }

  #allowance(): Allowance {
    return { requests: this.#settings.maxRequests, untilMs: this.#options.runtime.now() + RUN_MS }
  }

  #times(lane?: Lane): PlanTimes {
    const { runtime } = this.#options
    const flushIntervalMs = lane?.flushIntervalMs ?? this.#settings.flushIntervalMs
    return { nowMs: runtime.now(), random: runtime.random, flushIntervalMs }
  }
}
