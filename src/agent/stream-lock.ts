/** Held by the agent whose stream it is, from its first window on: it tells the living from the dead. */
export function lockName(stream: string): string {
  return `metertap:stream:${stream}`
}

/** Holds a stream's lock while its agent may have windows open. */
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
