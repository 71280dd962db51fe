import type { Outbox } from '../outbox/contract.ts'

/** Held by the agent whose stream it is, as long as it has windows open: it tells the living from the dead. */
function lockName(stream: string): string {
  return `metertap:stream:${stream}`
}

/** Holds a stream's lock while its agent has windows open. */
export class StreamLock {
  readonly #locks: LockManager | undefined
  #release: (() => void) | undefined

  constructor(locks: LockManager | undefined) {
    this.#locks = locks
  }

  hold(stream: string): void {
    if (this.#release || !this.#locks) return
    const held = new Promise<void>((resolve) => {
      this.#release = resolve
    })
    // Denied where locks are denied: then only time tells.
    this.#locks.request(lockName(stream), () => held).catch(() => {})
  }

  release(): void {
    this.#release?.()
    this.#release = undefined
  }
}

export interface OrphanOptions {
  readonly outbox: Outbox
  readonly locks: LockManager | undefined
  /** This agent's own stream. */
  readonly own: string
  readonly nowMs: number
}

/** An owner that lives closes its window itself, at once. */
const GRACE_MS = 10_000
/** Where there are no locks, an owner counts as dead this long after its window ended. */
const SILENT_MS = 86_400_000

/** Closes windows that ended and whose owner is dead, so that their sums are sent. Resolves with how many. */
export async function closeOrphans({ outbox, locks, own, nowMs }: OrphanOptions): Promise<number> {
  const graceMs = locks ? GRACE_MS : SILENT_MS
  const ended = (await outbox.openRollups()).filter((each) => each.stream !== own && each.closesAtMs + graceMs < nowMs)
  let closed = 0
  for (const stream of new Set(ended.map((each) => each.stream))) {
    const close = () => outbox.closeRollups({ streams: [stream] })
    if (!locks) closed += await close()
    else closed += await locks.request(lockName(stream), { ifAvailable: true }, (lock) => (lock ? close() : 0))
  }
  return closed
}
