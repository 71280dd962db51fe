type Hold = (lock: Lock | null) => unknown

interface Ask {
  readonly client: symbol
  readonly hold: Hold
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** One page's view of the locks. */
export interface LockClient {
  readonly manager: LockManager
  /** The page is gone: the browser takes its locks back and forgets what it waited for. */
  kill(): void
}

/** Exclusive Web Locks as far as the agent uses them: a queue per name, abortable while waiting, theft, and a glance. */
export class FakeLocks {
  readonly #queues = new Map<string, Ask[]>()
  readonly #held = new Map<string, Ask>()

  /** As a LockManager, of which the agent uses request(name, options, callback) alone. */
  get manager(): LockManager {
    return this.client().manager
  }

  client(): LockClient {
    const client = Symbol('page')
    const request = (name: string, options: LockOptions | Hold, hold?: Hold) =>
      typeof options === 'function'
        ? this.#request(client, name, {}, options)
        : this.#request(client, name, options, hold as Hold)
    return { manager: { request, query: async () => ({}) } as unknown as LockManager, kill: () => this.#kill(client) }
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

  #request(client: symbol, name: string, options: LockOptions, hold: Hold): Promise<unknown> {
    const { signal, steal, ifAvailable } = options
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      const ask = { client, hold, resolve, reject }
      if (steal) {
        queue.unshift(ask)
        return this.steal(name)
      }
      if (ifAvailable && (this.#held.has(name) || queue.length > 0)) {
        setImmediate(() => resolve(hold(null)))
        return
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

  #kill(client: symbol): void {
    for (const queue of this.#queues.values()) {
      for (const ask of queue.filter((each) => each.client === client)) queue.splice(queue.indexOf(ask), 1)
    }
    for (const [name, ask] of this.#held) {
      if (ask.client !== client) continue
      this.#held.delete(name)
      this.#next(name)
    }
  }

  #next(name: string): void {
    const ask = this.#held.has(name) ? undefined : this.#queues.get(name)?.shift()
    if (!ask) return
    this.#held.set(name, ask)
    // The callback comes in a later task, as in browsers.
    setImmediate(async () => {
      try {
        ask.resolve(await ask.hold({ name, mode: 'exclusive' }))
      } catch (error) {
        ask.reject(error)
      }
      if (this.#held.get(name) !== ask) return
      this.#held.delete(name)
      this.#next(name)
    })
  }
}
