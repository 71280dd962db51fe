/**
 * What an agent in a page needs at times only: when events cannot be stored, when some are dead, for sums, for the
 * application's questions. Loaded when it is needed; and some time after the start, so that it is there should the
 * network, or the server's copy of it, be gone by then.
 */
import { requestSync } from '../runtime/background-sync.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { Agent } from './agent.ts'
import { syncTag, syncWhenStuck } from './background-sync.ts'

export { otherVerbs, setAside } from '../outbox/idb/other-verbs.ts'
export { createMemoryOutbox } from '../outbox/memory/open.ts'
export { hardTimes } from '../outbox/resilient/hard-times.ts'
export { DeadLetters } from './dead-letters.ts'
export { Rollups } from './rollups.ts'
export { Room } from './room.ts'
/** See first-piece.ts. */
export * from './second-piece.ts'
export { StreamLock } from './stream-lock.ts'

/** See `backgroundSync` of createAgent(). */
export function syncInBackground(agent: Agent, runtime: Runtime, { outbox }: { readonly outbox: string }): void {
  syncWhenStuck({ agent, runtime, request: () => requestSync(syncTag(outbox)) })
}
