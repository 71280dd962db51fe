import type { FetchLater, LifecycleEvent, PeerMessage, Runtime } from '../../src/runtime/contract.ts'
import type { FakeClock } from './fake-clock.ts'
import { PageState } from './page-state.ts'

/** Channels by name, as BroadcastChannel: everyone hears but the one who speaks, and who has closed may not speak. */
export class FakeChannels {
  readonly #open = new Map<string, Set<(message: PeerMessage) => void>>()
  /** Everything that was said. */
  readonly said: PeerMessage[] = []
  /** Nobody hears anything any more. */
  isDeaf = false

  open(name: string, onMessage: (message: PeerMessage) => void): ReturnType<Runtime['openChannel']> {
    const members = this.#open.get(name) ?? new Set()
    this.#open.set(name, members.add(onMessage))
    return {
      post: (message) => {
        if (!members.has(onMessage)) throw new DOMException('The channel is closed.', 'InvalidStateError')
        this.said.push(message)
        if (this.isDeaf) return
        for (const other of members) if (other !== onMessage) setImmediate(() => other(structuredClone(message)))
      },
      close: () => void members.delete(onMessage),
    }
  }
}

export interface FakeRuntime extends Runtime {
  readonly reported: unknown[]
  readonly state: PageState
  isOnline: boolean
  isPrerendering: boolean
  /** How many listen to the life cycle. */
  readonly listeners: number
  tell(event: LifecycleEvent): void
}

export interface FakeRuntimeOptions {
  readonly clock: FakeClock
  readonly fetch: typeof globalThis.fetch
  readonly fetchLater?: FetchLater | undefined
  readonly newStreamId: () => string
  readonly locks?: LockManager | undefined
  readonly channels?: FakeChannels
}

export function fakeRuntime(options: FakeRuntimeOptions): FakeRuntime {
  const { clock, fetch, fetchLater, newStreamId, locks, channels } = options
  const listeners = new Set<(event: LifecycleEvent) => void>()
  const reported: unknown[] = []
  const state = new PageState()
  return {
    reported,
    state,
    isOnline: true,
    isPrerendering: false,
    get listeners() {
      return listeners.size
    },
    tell(event) {
      for (const listener of listeners) listener(event)
    },
    now: clock.now,
    monotonic: clock.monotonic,
    random: () => 0.5,
    newStreamId,
    setTimer(callback, delayMs) {
      let isCancelled = false
      // One that has fallen due while the page was frozen can still be cancelled.
      const run = () => {
        if (!isCancelled) callback()
      }
      const cancel = clock.setTimer(() => state.run(run), delayMs)
      return () => {
        isCancelled = true
        cancel()
      }
    },
    queueMicrotask,
    fetch: (input, init) => state.see(fetch(input, init)),
    gzip: undefined,
    fetchLater,
    prerendering() {
      return this.isPrerendering
    },
    indexedDB: undefined,
    storage: undefined,
    utf8Length: (text) => Buffer.byteLength(text),
    online() {
      return this.isOnline
    },
    onLifecycle(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    locks: locks && seenFrom(state, locks),
    openChannel(name, onMessage) {
      const channel = channels?.open(name, (message) => state.run(() => onMessage(message)))
      return channel && { ...channel, post: (message) => state.run(() => channel.post(message)) }
    },
    reportError: (error) => void reported.push(error),
  }
}

/** A frozen page learns of a stolen lock when it thaws. */
function seenFrom(state: PageState, locks: LockManager): LockManager {
  const request = (...args: unknown[]) =>
    state.see((locks.request as (...args: unknown[]) => Promise<unknown>).apply(locks, args))
  return { request, query: () => locks.query() } as unknown as LockManager
}
