import type { LifecycleEvent } from '../../runtime/contract.ts'
import { unavailable } from './errors.ts'

export type OnLifecycle = (listener: (event: LifecycleEvent) => void) => () => void

/** Whether the page lives, or sleeps in the browser's back/forward cache. */
export interface Presence {
  /** Aborts when the page is put away; each return has a new one. */
  readonly signal: AbortSignal
  stop(): void
}

/**
 * A sleeping page cannot go on with a transaction of several steps, and some browsers keep such a transaction for as
 * long as the page sleeps: no other page of the site could write to the outbox, or read it. So it ends with the page.
 */
export function watchPresence(onLifecycle?: OnLifecycle): Presence {
  let here = new AbortController()
  const stop = onLifecycle?.((event) => {
    if (event === 'pagehide' || event === 'freeze')
      here.abort(unavailable('the page is put away until it is shown again.'))
    else if (here.signal.aborted && event !== 'hidden') here = new AbortController()
  })
  return {
    get signal() {
      return here.signal
    },
    stop: () => stop?.(),
  }
}
