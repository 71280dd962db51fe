import type { AppendGroup, RecordingOutbox } from '../outbox/contract.ts'
import { eventsIn } from '../outbox/core/sums.ts'
import { type SpillStorage, spillPrefix } from './spill.ts'

const SPOILT =
  'What a page that closed early had put aside could not be read and was removed: other code wrote under its name. Entries:'

export interface Restored {
  readonly events: number
  /** What the application hears of entries that were no group. */
  readonly trouble?: { readonly code: string; readonly detail: string }
}

/** Puts what other pages left behind into the outbox; what cannot be read is removed and counted. */
export async function restoreSpill(
  storage: SpillStorage | undefined,
  outboxName: string,
  outbox: RecordingOutbox,
): Promise<Restored> {
  let events = 0
  let unreadable = 0
  // Memory would be no better a place.
  if (!storage || outbox.durability === 'memory') return { events }
  const prefix = spillPrefix(outboxName)
  for (const key of keysOf(storage, prefix)) {
    const group = read(storage, key, prefix)
    if (group) {
      await outbox.append(group)
      events += eventsIn(group.segments)
    } else unreadable++
    storage.removeItem(key)
  }
  return unreadable > 0 ? { events, trouble: { code: 'not_json', detail: `${SPOILT} ${unreadable}.` } } : { events }
}

function keysOf(storage: SpillStorage, prefix: string): string[] {
  try {
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? '')
    return keys.filter((key) => key.startsWith(prefix))
  } catch {
    return []
  }
}

/** Undefined for what is no group. */
function read(storage: SpillStorage, key: string, prefix: string): AppendGroup | undefined {
  try {
    const group = JSON.parse(storage.getItem(key) ?? '') as AppendGroup
    const isWhole = typeof group.head.recorded === 'number' && prefix + group.head.stream === key
    return isWhole && Array.isArray(group.segments) ? group : undefined
  } catch {
    return undefined
  }
}
