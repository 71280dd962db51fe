import { LRUCache } from 'lru-cache'
import type { Claims } from '../claims.ts'
import type { RelayStore } from '../store/contract.ts'

/** Says whether an account has sent as much today (UTC) as it may; what comes then is stored and held, never refused. */
export interface DailyCap {
  isReached(owner: Pick<Claims, 'tenant' | 'account'>): Promise<boolean>
  /** Notes events that were stored. */
  note(owner: Pick<Claims, 'tenant' | 'account'>, events: number): void
}

interface Day {
  readonly startsAtMs: number
  readonly readAtMs: number
  events: number
}

const DAY_MS = 86_400_000
/** Other processes store events too: the count is read again after this. */
const READ_AGAIN_MS = 60_000
const MAX_ACCOUNTS = 100_000
const MAX_HOUR_ROWS = 100_000

export function createDailyCap(deps: {
  readonly store: Pick<RelayStore, 'ledgerByHour'>
  /** Undefined: there is no cap. */
  readonly maxEvents: number | undefined
  readonly clock: () => number
}): DailyCap {
  const { store, maxEvents, clock } = deps
  const days = new LRUCache<string, Day>({ max: MAX_ACCOUNTS })
  const keyOf = ({ tenant, account }: Pick<Claims, 'tenant' | 'account'>): string => JSON.stringify([tenant, account])

  async function read({ tenant, account }: Pick<Claims, 'tenant' | 'account'>, nowMs: number): Promise<Day> {
    const startsAtMs = nowMs - (nowMs % DAY_MS)
    const rows = await store.ledgerByHour({ account, fromMs: startsAtMs, limit: MAX_HOUR_ROWS })
    const events = rows.filter((row) => row.tenant === tenant).reduce((sum, { received }) => sum + received, 0)
    return { startsAtMs, readAtMs: nowMs, events }
  }

  return {
    async isReached(owner) {
      if (maxEvents === undefined) return false
      const key = keyOf(owner)
      const nowMs = clock()
      let day = days.get(key)
      const isFresh = day !== undefined && Math.abs(nowMs - day.readAtMs) < READ_AGAIN_MS
      if (day === undefined || !isFresh || nowMs - day.startsAtMs >= DAY_MS) {
        day = await read(owner, nowMs)
        days.set(key, day)
      }
      return day.events >= maxEvents
    },
    note(owner, events) {
      const day = days.get(keyOf(owner))
      if (day !== undefined) day.events += events
    },
  }
}
