import type { Outbox } from '../contract.ts'
import type { Held } from './held.ts'

export interface Recovery {
  /** Tries to store everything that is held; true when nothing is left. */
  (): Promise<boolean>
  /** Notes a failure that another try cannot help. */
  decline(error: unknown): Promise<boolean>
}

/** Brings the primary up to date, stream by stream: one append of what is held, one settlement of what came of it. */
export function createRecovery(
  held: Held,
  deps: {
    readonly primary: Outbox
    readonly onDegraded: (error: unknown) => void
    readonly onRecovered: () => void
  },
): Recovery {
  const { primary, onDegraded, onRecovered } = deps
  let told = false

  async function store(stream: string): Promise<void> {
    const { group, stored, failed } = held.snapshot(stream)
    try {
      stored(await primary.append(group))
    } catch (error) {
      failed()
      throw error
    }
    const settlement = held.replay(stream)
    const deleted = [...(held.streams.get(stream)?.deletedDead ?? [])].map((seq) => ({ stream, seq }))
    if (settlement) await primary.settle(settlement)
    if (deleted.length > 0) await primary.deleteDeadLetters(deleted)
    held.replayed(stream)
  }

  function tell(error: unknown): false {
    if (!told) onDegraded(error)
    told = true
    return false
  }

  async function decline(error: unknown): Promise<false> {
    for (const { groups } of held.streams.values()) for (const group of groups) group.outcome ??= 'memory'
    return tell(error)
  }

  async function recover(): Promise<boolean> {
    let failure: { error: unknown } | undefined
    for (const stream of [...held.streams.keys()]) {
      try {
        await store(stream)
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure) return tell(failure.error)
    if (held.streams.size > 0) return recover()
    if (told) onRecovered()
    told = false
    return true
  }

  return Object.assign(recover, { decline })
}
