import type { Outbox } from '../outbox/contract.ts'
import type { LifecycleEvent } from '../runtime/contract.ts'
import type { FlushReason } from '../schedule/contract.ts'
import type { Offline } from '../schedule/offline.ts'
import type { TokenSource } from '../transport/contract.ts'
import type { Counters } from './counters.ts'
import { countFlush } from './counting.ts'
import type { LastWords, Occasion } from './last-words.ts'
import type { Peers } from './peers.ts'

export interface PageLifeOptions {
  readonly counters: Counters
  readonly tokens: TokenSource
  readonly lastWords: LastWords
  readonly offline: Offline
  /** Undefined before the outbox is open, and after close(). */
  readonly open: () => { readonly outbox: Outbox; readonly device: string; readonly peers: Peers } | undefined
  readonly mayRun: () => boolean
  /** The page may be gone soon: stores what is in memory. `isFinal`: it is being put aside. Resolves when it is stored. */
  readonly onAway: (isFinal: boolean) => Promise<void>
  /** The page is used again. */
  readonly onBack: () => void
  /** A page that was rendered in advance is shown. */
  readonly onActivated: () => void
  readonly flush: (reason: FlushReason) => void
}

export interface PageLife {
  /** True from the moment a page is put aside until it is used again: it must not be the sender. */
  readonly isAway: boolean
  hear(event: LifecycleEvent): void
}

/** What the moments of a page's life mean for sending. */
export function createPageLife(options: PageLifeOptions): PageLife {
  const { counters, tokens, lastWords, offline, open, mayRun, onAway, onBack, onActivated, flush } = options
  let isAway = false

  const occasion = (isFinal: boolean): Occasion | undefined => {
    const token = tokens.peek()
    const parts = open()
    return parts && token !== undefined && isAway === isFinal ? { ...parts, token, isFinal } : undefined
  }

  const leave = (event: 'hidden' | 'pagehide' | 'freeze', isFinal: boolean) => {
    const maySpeak = mayRun()
    const stored = onAway(isFinal)
    // Only the sender speaks; what other agents stored is safe in the outbox that it reads.
    if (maySpeak) {
      countFlush(counters, event)
      void lastWords.leave(() => occasion(isFinal), stored)
    } else open()?.peers.tell('flush')
  }

  const hear = (event: LifecycleEvent) => {
    switch (event) {
      case 'offline':
        offline.begin()
        break
      case 'online':
        offline.end()
        flush(event)
        break
      case 'activated':
        onActivated()
        break
      case 'hidden':
        leave(event, false)
        break
      case 'pagehide':
      case 'freeze':
        isAway = true
        leave(event, true)
        // A page that is put aside must not keep the lock from those that live.
        open()?.peers.stepDown()
        break
      case 'ending':
        // Whoever tells this sees to the sending, too.
        void onAway(true)
        break
      default:
        isAway = false
        onBack()
        flush('visible')
    }
  }

  return {
    get isAway() {
      return isAway
    },
    hear,
  }
}
