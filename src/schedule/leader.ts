export interface LeaderOptions {
  readonly locks: LockManager | undefined
  /** Shared by all agents of one outbox. */
  readonly name: string
  /** Called each time this agent becomes the sender. */
  readonly onLead: () => void
}

export interface Leader {
  readonly leads: boolean
  /** False where there are no locks, or they are denied: every agent leads, and leases on segments keep them apart. */
  readonly exclusive: boolean
  /** Gives the office up and stands no more: before the page is frozen, put aside, or closed. */
  stepDown(): void
  /** Stands again after stepDown(). */
  stand(): void
  /** Takes the office from a holder that does not answer; should it live after all, it finds out and queues again. */
  seize(): void
}

/** Locks lost in a row before the office was taken: more are no coincidence. */
const MAX_LOSSES = 5

/** Elects one sender for all agents of an outbox by a Web Lock; the browser hands it over when the holder dies. */
export function createLeader({ locks, name, onLead }: LeaderOptions): Leader {
  let leads = false
  let exclusive = locks !== undefined
  /** Ends the candidacy, waiting or in office. */
  let end: (() => void) | undefined

  const lead = () => {
    leads = true
    onLead()
  }

  const candidacy = async (manager: LockManager, steal: boolean, losses = 0): Promise<void> => {
    const gone = new AbortController()
    let release: (() => void) | undefined
    end = () => {
      gone.abort()
      release?.()
    }
    const hold = () =>
      new Promise<void>((resolve) => {
        // Granted in the moment of stepping down: give it back at once.
        if (gone.signal.aborted) return resolve()
        release = resolve
        lead()
      })
    // A request that steals takes no signal (Web Locks, 3.2).
    const options = steal ? { steal } : { signal: gone.signal }
    try {
      await manager.request(name, options, hold)
    } catch (error) {
      if (gone.signal.aborted) return
      // Stolen by an agent that heard nothing from this one, maybe before it knew of its office: back into the queue.
      if (leads || ((error as Error)?.name === 'AbortError' && losses < MAX_LOSSES)) {
        const isLoss = !leads
        gone.abort()
        leads = false
        return candidacy(manager, false, isLoss ? losses + 1 : 0)
      }
      // Locks are denied here (an opaque origin, say): somebody has to send all the same.
      exclusive = false
      lead()
    }
  }

  const leader: Leader = {
    get leads() {
      return leads
    },
    get exclusive() {
      return exclusive
    },
    stepDown() {
      leads = false
      end?.()
      end = undefined
    },
    stand() {
      if (end || leads) return
      if (locks && exclusive) void candidacy(locks, false)
      else lead()
    },
    seize() {
      if (leads || !locks || !exclusive) return
      leader.stepDown()
      void candidacy(locks, true)
    },
  }
  leader.stand()
  return leader
}
