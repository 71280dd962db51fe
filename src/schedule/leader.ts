export interface LeaderOptions {
  readonly locks: LockManager | undefined
  /** Shared by all agents of one outbox. */
  readonly name: string
  /** Called when this agent becomes the sender. */
  readonly onLead: () => void
}

export interface Leader {
  readonly leads: boolean
  /** False where there are no locks, or they are denied: every agent leads, and leases on segments keep them apart. */
  readonly exclusive: boolean
  resign(): void
}

/** Elects one sender for all agents of an outbox by a Web Lock; the browser hands it over when the holder dies. */
export function createLeader({ locks, name, onLead }: LeaderOptions): Leader {
  let leads = false
  let exclusive = locks !== undefined
  let release: (() => void) | undefined
  const waiting = new AbortController()
  const lead = () => {
    leads = true
    onLead()
  }
  const hold = () =>
    new Promise<void>((resolve) => {
      // Granted in the moment of resigning: give it back at once.
      if (waiting.signal.aborted) return resolve()
      release = resolve
      lead()
    })
  const stand = async (manager: LockManager) => {
    try {
      await manager.request(name, { signal: waiting.signal }, hold)
    } catch {
      if (waiting.signal.aborted) return
      if (!leads) {
        // Locks are denied here (an opaque origin, say): somebody has to send all the same.
        exclusive = false
        return lead()
      }
      // The lock was stolen: back into the queue.
      leads = false
      void stand(manager)
    }
  }
  if (locks) void stand(locks)
  else lead()
  return {
    get leads() {
      return leads
    },
    get exclusive() {
      return exclusive
    },
    resign() {
      leads = false
      waiting.abort()
      release?.()
    },
  }
}
