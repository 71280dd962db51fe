/** What an agent needs only at times, or only once it stores: apart, so that a page can fetch it later. */
export { DeadLetters, toNdjson } from './dead-letters.ts'
export { Rollups } from './rollups.ts'
export { restoreSpill } from './spill-restore.ts'
