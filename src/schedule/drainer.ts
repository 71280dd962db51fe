import type { Backoff } from './backoff.ts'

/** What one turn (claim, send, settle) came to. */
export type Turn =
  | { readonly kind: 'more' }
  | { readonly kind: 'empty' }
  /** Failed: wait at least this long (0: backoff alone decides). `byServer`: nobody may cut the wait short. */
  | { readonly kind: 'wait'; readonly atLeastMs: number; readonly byServer?: boolean }

export interface DrainerOptions {
  /** `follows`: the turn before it has only just ended, with 'more'. */
  readonly turn: (follows: boolean) => Promise<Turn>
  /** False while paused, closed, or another agent is the sender. */
  readonly mayRun: () => boolean
  readonly backoff: Backoff
  readonly now: () => number
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** A turn threw: a defect or a broken outbox. It counts as a failed turn. */
  readonly onError: (error: unknown) => void
}

export interface Drainer {
  /**
   * Empties the outbox, one request at a time; resolves when it is empty, must wait, or may not run.
   * `force` ends a wait that backoff chose, never one that the server asked for.
   */
  drain(force?: boolean): Promise<void>
  /** When the next try is due, ms since 1970; undefined when none is planned. */
  readonly nextTryAtMs: number | undefined
  /** Ends a wait and plans no other; the turn under way ends by itself. */
  stop(): void
}

/** The one loop that sends: single-flight, with every wait and retry in one place. */
export function createDrainer(options: DrainerOptions): Drainer {
  const { turn, mayRun, backoff, now, setTimer, onError } = options
  let running = Promise.resolve()
  let busy = false
  let again = false
  let stopped = false
  let wait: { untilMs: number; mandatory: boolean; cancel: () => void } | undefined

  const endWait = () => {
    wait?.cancel()
    wait = undefined
  }

  const planRetry = ({ atLeastMs, byServer = false }: Turn & { kind: 'wait' }) => {
    if (stopped) return
    const delayMs = backoff.next(atLeastMs)
    const cancel = setTimer(() => {
      wait = undefined
      void drain()
    }, delayMs)
    wait = { untilMs: now() + delayMs, mandatory: byServer, cancel }
  }

  const safeTurn = async (follows: boolean): Promise<Turn> => {
    try {
      return await turn(follows)
    } catch (error) {
      onError(error)
      return { kind: 'wait', atLeastMs: 0 }
    }
  }

  const loop = async () => {
    busy = true
    try {
      do {
        again = false
        for (let follows = false; mayRun(); follows = true) {
          const result = await safeTurn(follows)
          if (result.kind === 'wait') return planRetry(result)
          backoff.reset()
          if (result.kind === 'empty') break
        }
      } while (again)
    } finally {
      // In the same step as the last look at `again`: a drain() that comes later starts anew.
      busy = false
    }
  }

  const drain = (force = false): Promise<void> => {
    if (wait && force && !wait.mandatory) endWait()
    if (wait || stopped || !mayRun()) return running
    again = true
    if (!busy) running = loop()
    return running
  }

  return {
    drain,
    get nextTryAtMs() {
      return wait?.untilMs
    },
    stop() {
      stopped = true
      endWait()
    },
  }
}
