/** What an agent needs only at times, or only once it stores: apart, so that a page can fetch it later. */
export { DeadLetters } from './dead-letters.ts'
export { Rollups } from './rollups.ts'
export { Room } from './room.ts'
export { restoreSpill } from './spill-restore.ts'
export { StreamLock } from './stream-lock.ts'
