import { MetertapError } from '../../wire/errors.ts'
import type { Outbox } from '../contract.ts'

export interface SelfOpeningOptions {
  /** Opens the outbox, at once. Throws what the callers shall see. `isDamaged`: what was opened last has shown damage. */
  readonly open: (isDamaged: boolean) => Outbox
  /** Whether what is open is still what stands in its place; asked before each claim. */
  readonly isInPlace: () => boolean
  /** Never set back, ms. */
  readonly monotonic: () => number
  /** It could not be opened. Told once, until onOpened. */
  readonly onFailed: (error: MetertapError) => void
  /** It could be opened after all. */
  readonly onOpened: () => void
}

/** How long a failure to open stands before the next call tries again. */
const RETRY_MS = 1_000
/**
 * How long calls fail at once after one that waited in vain for another process, which may be stopped in the middle of a
 * write: each wait stops the whole program.
 */
const BUSY_MS = 5_000

/**
 * An outbox that is opened by its first call, and again by a later one when that failed, when its file turned out to be
 * damaged, or was replaced: a folder may be mounted late, a disk may have been full.
 */
export function selfOpening({ open, isInPlace, monotonic, onFailed, onOpened }: SelfOpeningOptions): Outbox {
  let current: Outbox | undefined
  let failure: { readonly error: MetertapError; readonly untilMs: number } | undefined
  let isClosed = false
  let isDamaged = false
  let busy: { readonly error: unknown; readonly untilMs: number } | undefined

  function opened(): Outbox {
    if (busy && monotonic() < busy.untilMs) throw busy.error
    busy = undefined
    if (current) return current
    if (isClosed) throw new MetertapError('closed', 'The outbox is closed. Create a new agent.')
    if (failure && monotonic() < failure.untilMs) throw failure.error
    try {
      current = open(isDamaged)
      isDamaged = false
    } catch (error) {
      const known = failure
      const waitMs = troubleIn(error) === 'busy' ? BUSY_MS : RETRY_MS
      failure = { error: error as MetertapError, untilMs: monotonic() + waitMs }
      if (!known) onFailed(failure.error)
      throw error
    }
    if (failure) onOpened()
    failure = undefined
    return current
  }

  function lose(outbox: Outbox): void {
    if (current === outbox) current = undefined
    // What is under way in it fails by itself.
    outbox.close().catch(() => undefined)
  }

  /** Reaches the outbox within the call: an append is stored when it returns. */
  async function use<T>(call: (outbox: Outbox) => Promise<T>): Promise<T> {
    const outbox = opened()
    try {
      return await call(outbox)
    } catch (error) {
      const trouble = troubleIn(error)
      if (trouble === 'busy') busy = { error, untilMs: monotonic() + BUSY_MS }
      if (trouble === 'damaged') {
        isDamaged ||= current === outbox
        lose(outbox)
      }
      throw error
    }
  }

  return {
    durability: 'process',
    append: (group) => use((outbox) => outbox.append(group)),
    restore: (group) => use((outbox) => outbox.restore(group)),
    claim: (options) => {
      if (current && !isInPlace()) lose(current)
      return use((outbox) => outbox.claim(options))
    },
    settle: (settlement) => use((outbox) => outbox.settle(settlement)),
    release: (claim) => use((outbox) => outbox.release(claim)),
    purge: (options) => use((outbox) => outbox.purge(options)),
    dropOldest: (options) => use((outbox) => outbox.dropOldest(options)),
    closeRollups: (options) => use((outbox) => outbox.closeRollups(options)),
    openRollups: () => use((outbox) => outbox.openRollups()),
    totals: () => use((outbox) => outbox.totals()),
    streams: () => use((outbox) => outbox.streams()),
    deadLetters: () => use((outbox) => outbox.deadLetters()),
    deleteDeadLetters: (letters) => use((outbox) => outbox.deleteDeadLetters(letters)),
    retryDeadLetters: (letters) => use((outbox) => outbox.retryDeadLetters(letters)),
    quarantined: () => use((outbox) => outbox.quarantined()),
    deviceId: () => use((outbox) => outbox.deviceId()),
    async close() {
      isClosed = true
      await current?.close()
    },
  }
}

function troubleIn(error: unknown): unknown {
  return error instanceof MetertapError ? error.detail.trouble : undefined
}
