export interface LeaderOptions {
  readonly locks: LockManager | undefined
  /** Shared by all agents of one outbox. */
  readonly name: string
  /** Called once, when this agent becomes the sender. */
  readonly onLead: () => void
}

export interface Leader {
  readonly leads: boolean
  /** Where there are no locks every agent leads, and leases on segments keep them apart. */
  readonly exclusive: boolean
  resign(): void
}

/** Elects one sender for all agents of an outbox by a Web Lock; the browser hands it over when the holder dies. */
export function createLeader({ locks, name, onLead }: LeaderOptions): Leader {
  let leads = false
  let release: (() => void) | undefined
  const waiting = new AbortController()
  const lead = () => {
    leads = true
    onLead()
  }
  const hold = () =>
    new Promise<void>((resolve) => {
      release = resolve
      lead()
    })
  if (locks) locks.request(name, { signal: waiting.signal }, hold).catch(() => {})
  else lead()
  return {
    get leads() {
      return leads
    },
    exclusive: locks !== undefined,
    resign() {
      leads = false
      waiting.abort()
      release?.()
    },
  }
}
