import type { BuildDelivery, Delivery, RelayStore, StoredEvent } from '../store/contract.ts'
import { PROBE_EVENTS } from './breaker.ts'
import { buildDelivery } from './build-delivery.ts'
import type { CallLimits } from './call-limits.ts'
import type { DedupWindow } from './dedup-window.ts'
import type { LaneMemory, Rest } from './lane-memory.ts'
import type { Mapped } from './map-event.ts'
import type { MappingFailure } from './mapping-brake.ts'
import type { SettleDeps } from './settle-delivery.ts'

export interface CutOptions extends Pick<SettleDeps, 'lane' | 'clock' | 'log'> {
  readonly store: RelayStore
  readonly map: (event: Parameters<BuildDelivery>[0][number]) => Mapped
  readonly gzip: (bytes: Uint8Array) => Uint8Array
  readonly limits: CallLimits
  /** Marks claims; each call gets a name of its own behind it. */
  readonly owner: string
  readonly leaseMs: number
  readonly isOrdered: boolean
  readonly window: DedupWindow
  /** Where this lane's late events go. Absent in the late lane itself. */
  readonly late?: { readonly lane: string; readonly wake: () => void }
  /** False: what cannot be mapped is buried, be it everything. */
  readonly isBraked: boolean
}

/** Makes a lane's deliveries of what is stored. */
export interface Cutter {
  /**
   * Claims the oldest delivery that is due, or cuts one; `hold` when nothing can be mapped and nothing was changed, or
   * when nothing is left but what split() put off for that.
   */
  open(mayCut: boolean): Promise<{ delivery?: Delivery | undefined; isFresh: boolean; hold?: Rest }>
  /** See SettleDeps. */
  readonly split: SettleDeps['split']
}

/** Trying again costs no call. */
const HOLD_MS = 60_000

type Owner = Pick<StoredEvent, 'tenant' | 'account'>

const isOf =
  ({ tenant, account }: Owner) =>
  (event: Owner): boolean =>
    event.tenant === tenant && event.account === account

/** Whose all of these events are; undefined when they are of several accounts. */
function ownerOf(events: readonly StoredEvent[]): Owner | undefined {
  const [first] = events
  return first !== undefined && events.every(isOf(first)) ? first : undefined
}

export function createCutter(options: CutOptions, memory: LaneMemory): Cutter {
  const { lane, store, clock, log, map, gzip, limits, owner, leaseMs, isOrdered, window, late } = options
  let claims = 0
  let putOff: { readonly rest: Rest; readonly untilMs: number } | undefined

  /**
   * What the brake stops in the middle of a transaction is undone by throwing there. Offers that are of `unbraked` alone
   * are not stopped. `owner`: whose all is that was stopped, if it is one account's.
   */
  async function braked<T>(
    cut: (build: BuildDelivery) => Promise<T>,
    unbraked?: Owner,
  ): Promise<{ done: T } | { hold: Rest; owner: Owner | undefined }> {
    let failure: MappingFailure | undefined
    let owner: Owner | undefined
    const wasHeld = memory.brake.isHeld
    try {
      const done = await cut((events) => {
        const draft = buildDelivery(events, { map, gzip, limits, learnedMaxBytes: memory.learnedMaxBytes })
        const isBraked = options.isBraked && !(unbraked && events.every(isOf(unbraked)))
        const judged = isBraked ? memory.brake.judge(draft) : draft
        if ('taken' in judged) return judged
        failure = judged
        owner = ownerOf(events)
        throw new Error('No event can be mapped.')
      })
      if (wasHeld && !memory.brake.isHeld) log('info', 'lane_recovered', { lane })
      return { done }
    } catch (error) {
      if (failure === undefined) throw error
      return { hold: hold(failure), owner }
    }
  }

  function hold({ code: failed, detail }: MappingFailure): Rest {
    const code = 'everything_unmappable'
    const advice = "correct the meter's fields, then restart the relay; nothing is buried meanwhile"
    const reason = `no event can be mapped (${failed}): ${detail} ${advice}`
    log('error', 'lane_paused', { lane, code, reason, pauseMs: HOLD_MS })
    return { ms: HOLD_MS, wakeable: false, state: 'paused', code, reason }
  }

  async function open(mayCut: boolean): ReturnType<Cutter['open']> {
    let isFresh = false
    const nowMs = clock()
    const maxRows = memory.breaker.state === 'closed' ? limits.maxRows : Math.min(PROBE_EVENTS, limits.maxRows)
    const maxEvents = memory.brake.offer(maxRows)
    const claim = {
      ...{ lane, leaseMs, nowMs, maxEvents, mayCut, ordered: isOrdered },
      ...(late === undefined ? {} : { late: { lane: late.lane, beforeMs: window.lateBeforeMs(nowMs) } }),
    }
    const cut = (build: BuildDelivery) =>
      store.openDelivery({ ...claim, owner: `${owner}/${++claims}` }, (events) => {
        isFresh = true
        return build(events)
      })
    let opened = await braked(cut)
    // One account's events may be wrong while `fields` are right: they must not keep its neighbours waiting.
    if ('hold' in opened && opened.owner && (await fitOthers(opened.owner))) {
      opened = await braked(cut, opened.owner)
    }
    if ('hold' in opened) return { isFresh, hold: opened.hold }
    const hold = opened.done === undefined && mayCut ? restOfPutOff() : undefined
    return hold ? { isFresh, hold } : { isFresh, delivery: opened.done }
  }

  /** Whether `fields` fit an event of another account that waits here. */
  async function fitOthers(account: Owner): Promise<boolean> {
    return (await store.waitingOfOthers(lane, account)).some((event) => 'row' in map(event))
  }

  function restOfPutOff(): Rest | undefined {
    const ms = (putOff?.untilMs ?? 0) - clock()
    if (putOff === undefined || ms <= 0 || !memory.brake.isHeld || memory.breaker.state !== 'closed') return undefined
    return { ...putOff.rest, ms: Math.min(ms, HOLD_MS) }
  }

  return {
    open,
    async split(id, inDoubt) {
      const result = await braked((build) => store.splitDelivery(id, build, inDoubt))
      if (!('hold' in result)) return
      // It alone waits: what other deliveries hold, and what was recorded since, may be right.
      const untilMs = clock() + HOLD_MS
      await store.postponeDelivery(id, untilMs, result.hold.reason ?? '', inDoubt)
      putOff = { rest: result.hold, untilMs }
    },
  }
}
