import { MetertapError } from '../wire/errors.ts'
import type { RecordingSettings } from './options.ts'

export interface BudgetOptions {
  readonly settings: Pick<RecordingSettings, 'maxOutboxBytes' | 'overflow'>
  /** Bytes in the outbox, as of the last look. */
  readonly storedBytes: () => number
  /** Bytes of what was recorded and is on its way there. */
  readonly comingBytes: () => number
}

/** @throws MetertapError `outbox_full` when so many new bytes have to give way. */
export type Admit = (bytes: number) => void

/**
 * How much may wait. What other agents stored since the last look is not seen: the limit is kept within what they can
 * record in one flush interval.
 */
export function createBudget({ settings, storedBytes, comingBytes }: BudgetOptions): Admit {
  return (bytes) => {
    // Read each time: in a page of Electron they come from the main process, later.
    const { maxOutboxBytes, overflow } = settings
    if (overflow !== 'reject-new' || storedBytes() + comingBytes() + bytes <= maxOutboxBytes) return
    const text = `The outbox holds its ${maxOutboxBytes} bytes. Events leave once the relay is reached; or raise maxOutboxBytes.`
    throw new MetertapError('outbox_full', text, { maxOutboxBytes })
  }
}
