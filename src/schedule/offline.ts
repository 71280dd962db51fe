import type { Pauses } from './pauses.ts'

export interface OfflineOptions {
  readonly pauses: Pauses
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Tries to send in spite of being offline. */
  readonly probe: () => Promise<void>
}

export interface Offline {
  /** True while a probe is under way: the pause does not hold for it. */
  readonly probing: boolean
  begin(): void
  end(): void
  stop(): void
}

/** navigator.onLine can be wrong for weeks: look for ourselves now and then. */
const PROBE_EVERY_MS = 60_000

/** The pause named 'offline', with a probe once a minute. */
export function createOffline({ pauses, setTimer, probe }: OfflineOptions): Offline {
  let probing = false
  let cancel: (() => void) | undefined
  let stopped = false

  const plan = () => {
    cancel?.()
    cancel = stopped ? undefined : setTimer(() => void look(), PROBE_EVERY_MS)
  }

  const look = async () => {
    probing = true
    try {
      await probe()
    } finally {
      probing = false
    }
    if (pauses.has('offline')) plan()
  }

  return {
    get probing() {
      return probing
    },
    begin() {
      pauses.add('offline')
      plan()
    },
    end() {
      cancel?.()
      pauses.remove('offline')
    },
    stop() {
      stopped = true
      cancel?.()
    },
  }
}
