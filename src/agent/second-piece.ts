/**
 * What an agent in a page needs to send, as long as all is well; to record and to store it needs none of it. Loaded when
 * there is something to send, and soon after the start.
 */
import { sendingRuntime } from '../runtime/browser.ts'
import { Sender, type SenderOptions } from './sender.ts'

export { idbMain } from '../outbox/idb/main-verbs.ts'
/** See there. */
export * from './first-piece.ts'
export { restoreSpill } from './spill-restore.ts'

export function createSender(options: SenderOptions): Sender {
  return new Sender({ ...options, runtime: { ...options.runtime, ...sendingRuntime() } })
}
