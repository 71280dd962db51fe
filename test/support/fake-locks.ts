type Hold = () => Promise<unknown>

interface Ask {
  readonly hold: Hold
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Exclusive Web Locks as far as the agent uses them: a queue per name, abortable while waiting, and theft. */
export class FakeLocks {
  readonly #queues = new Map<string, Ask[]>()
  readonly #held = new Map<string, Ask>()

  /** As a LockManager, of which the agent uses request(name, { signal }, callback) alone. */
  get manager(): LockManager {
    return { request: this.#request.bind(this), query: async () => ({}) } as unknown as LockManager
  }

  isHeld(name: string): boolean {
    return this.#held.has(name)
  }

  /** Takes the lock from its holder, as { steal: true } does: its request rejects. */
  steal(name: string): void {
    this.#held.get(name)?.reject(new DOMException('Stolen', 'AbortError'))
    this.#held.delete(name)
    this.#next(name)
  }

  #request(name: string, { signal, steal }: LockOptions, hold: Hold): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      const ask = { hold, resolve, reject }
      if (steal) {
        queue.unshift(ask)
        return this.steal(name)
      }
      queue.push(ask)
      signal?.addEventListener('abort', () => {
        const at = queue.indexOf(ask)
        if (at < 0) return
        queue.splice(at, 1)
        reject(signal.reason)
      })
      this.#next(name)
    })
  }

  #next(name: string): void {
    const ask = this.#held.has(name) ? undefined : this.#queues.get(name)?.shift()
    if (!ask) return
    this.#held.set(name, ask)
    // The callback comes in a later task, as in browsers.
    setImmediate(async () => {
      ask.resolve(await ask.hold())
      if (this.#held.get(name) !== ask) return
      this.#held.delete(name)
      this.#next(name)
    })
  }
}
