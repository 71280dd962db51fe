import type { LifecycleEvent, PeerMessage, Runtime } from '../../src/runtime/contract.ts'
import type { FakeClock } from './fake-clock.ts'

/** Channels by name, as BroadcastChannel: everyone hears but the one who speaks. */
export class FakeChannels {
  readonly #open = new Map<string, Set<(message: PeerMessage) => void>>()

  open(name: string, onMessage: (message: PeerMessage) => void): ReturnType<Runtime['openChannel']> {
    const members = this.#open.get(name) ?? new Set()
    this.#open.set(name, members.add(onMessage))
    return {
      post: (message) => {
        for (const other of members) if (other !== onMessage) setImmediate(() => other(structuredClone(message)))
      },
      close: () => void members.delete(onMessage),
    }
  }
}

export interface FakeRuntime extends Runtime {
  readonly reported: unknown[]
  isOnline: boolean
  /** How many listen to the life cycle. */
  readonly listeners: number
  tell(event: LifecycleEvent): void
}

export interface FakeRuntimeOptions {
  readonly clock: FakeClock
  readonly fetch: typeof globalThis.fetch
  readonly newStreamId: () => string
  readonly locks?: LockManager | undefined
  readonly channels?: FakeChannels
}

export function fakeRuntime({ clock, fetch, newStreamId, locks, channels }: FakeRuntimeOptions): FakeRuntime {
  const listeners = new Set<(event: LifecycleEvent) => void>()
  const reported: unknown[] = []
  return {
    reported,
    isOnline: true,
    get listeners() {
      return listeners.size
    },
    tell(event) {
      for (const listener of listeners) listener(event)
    },
    now: clock.now,
    monotonic: clock.now,
    random: () => 0.5,
    newStreamId,
    setTimer: clock.setTimer,
    queueMicrotask,
    fetch,
    gzip: undefined,
    fetchLater: undefined,
    prerendering: () => false,
    indexedDB: undefined,
    utf8Length: (text) => Buffer.byteLength(text),
    online() {
      return this.isOnline
    },
    onLifecycle(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    locks,
    openChannel: (name, onMessage) => channels?.open(name, onMessage),
    reportError: (error) => void reported.push(error),
  }
}
