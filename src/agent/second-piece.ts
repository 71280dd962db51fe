/**
 * What an agent in a page needs to send, as long as all is well; to record and to store it needs none of it. Loaded when
 * there is something to send, and soon after the start.
 */
import { browserGzip } from '../runtime/browser.ts'
import { Sender, type SenderOptions } from './sender.ts'

export { idbMain } from '../outbox/idb/main-verbs.ts'
/**
 * Not for anybody's use: what several pieces need, some bundlers put into one file for each set of pieces that need it.
 * So each piece says that it needs all of those before it, and a page begins with one such file instead of three.
 */
export { createAgent } from './browser.ts'
export { restoreSpill } from './spill-restore.ts'

export function createSender(options: SenderOptions): Sender {
  return new Sender({ ...options, runtime: { ...options.runtime, gzip: browserGzip() } })
}
