import type { Outbox, PutAside, RecordingOutbox } from '../outbox/contract.ts'
import { type SpillStorage, spillPrefix } from './spill.ts'

const SPOILT =
  'What a page that closed early had put aside could not be read and was removed: other code wrote under its name. Entries:'

export interface Restored {
  readonly events: number
  /** What the application hears of entries that were no group. */
  readonly trouble?: { readonly code: string; readonly detail: string }
}

/** Only an outbox that pages share can restore. */
export type RestoringOutbox = Pick<RecordingOutbox, 'durability'> & Partial<Pick<Outbox, 'restore' | 'settle'>>

/**
 * Puts what other pages left behind into the outbox; what cannot be read is removed and counted. Rejects when something
 * could not be stored: it stays where it is, for another time.
 */
export async function restoreSpill(
  storage: SpillStorage | undefined,
  outboxName: string,
  outbox: RestoringOutbox,
): Promise<Restored> {
  let events = 0
  let unreadable = 0
  const failures: unknown[] = []
  // Memory would be no better a place.
  if (!storage || !outbox.restore || outbox.durability === 'memory') return { events }
  const prefix = spillPrefix(outboxName)
  for (const key of keysOf(storage, prefix)) {
    const text = storage.getItem(key)
    // Stored by its own page meanwhile.
    if (text === null) continue
    try {
      const group = read(text, key, prefix)
      if (group) {
        events += await outbox.restore(group)
        if (group.settlement) await outbox.settle?.(group.settlement)
      } else unreadable++
    } catch (error) {
      if ((error as { code?: unknown }).code === 'internal') unreadable++
      else {
        failures.push(error)
        continue
      }
    }
    // Its page may live, and have put more aside since.
    if (storage.getItem(key) === text) storage.removeItem(key)
  }
  if (failures.length > 0) throw failures[0]
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
function read(text: string, key: string, prefix: string): PutAside | undefined {
  try {
    const group = JSON.parse(text) as PutAside
    const isWhole = typeof group.head.recorded === 'number' && prefix + group.head.stream === key
    const { segments, settlement } = group
    const isSettled = settlement === undefined || Array.isArray(settlement.claim.segments)
    return isWhole && isSettled && Array.isArray(segments) ? group : undefined
  } catch {
    return undefined
  }
}
