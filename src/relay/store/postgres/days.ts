import { IDS_PER_DAY } from './chunks.ts'
import type { Database } from './database.ts'
import { HOURS_PER_DAY } from './hours.ts'
import { createPartitions, dayOf } from './partitions.ts'

/** Keeps partitions for the days that come, and drops those that are done with. */
export interface Days {
  /** Before a write that may be booked at these times, ms. */
  ready(...timesMs: number[]): Promise<void>
  /** A write found no partition for its day: all are looked at again. */
  forget(): void
}

const DAY_MS = 86_400_000
const AHEAD = 2
/** A clock that is far ahead for a while does not cost the whole ledger. */
const MAX_HOUR_DROPS = 1
const MAX_CHUNK_DROPS = 30

export function createDays(
  database: Database,
  { schema, hourlyDays, clock }: { schema: string; hourlyDays: number; clock: () => number },
): Days {
  const chunks = createPartitions({ database, schema, table: 'chunks', perDay: IDS_PER_DAY })
  const hours = createPartitions({ database, schema, table: 'hours', perDay: HOURS_PER_DAY })
  const booked = new Set<number>()
  let newest = -1
  let turnedOn: number | undefined
  let turning: Promise<void> | undefined

  /** The database's clock gives chunks their day. What no chunk of an old day is left in goes. */
  async function turnChunks(): Promise<void> {
    const [row] = await database.read<{ ms: number }>('SELECT (extract(epoch FROM now()) * 1000)::int8 AS ms')
    const today = Math.floor(Number(row?.ms) / DAY_MS)
    await chunks.ensure(Array.from({ length: AHEAD + 1 }, (_, i) => today + i))
    await chunks.drop(today - 1, MAX_CHUNK_DROPS, 'empty')
  }

  async function book(days: readonly number[]): Promise<void> {
    await hours.ensure(days.flatMap((day) => [day, day + 1]))
    for (const day of days) booked.add(day)
    const last = Math.max(...days)
    if (last <= newest) return
    const isFirst = newest < 0
    newest = last
    if (!isFirst) await hours.drop(last - hourlyDays, MAX_HOUR_DROPS)
  }

  return {
    async ready(...timesMs) {
      const today = dayOf(clock())
      if (turnedOn !== today) {
        turning ??= turnChunks().finally(() => {
          turning = undefined
        })
        await turning
        turnedOn = today
      }
      const missing = [...new Set(timesMs.map(dayOf))].filter((day) => !booked.has(day))
      if (missing.length > 0) await book(missing)
    },
    forget() {
      turnedOn = undefined
      booked.clear()
      chunks.forget()
      hours.forget()
    },
  }
}
