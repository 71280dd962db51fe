/**
 * All that an agent in a page does not need to record and to store: sending, and an outbox's other verbs. Loaded when
 * there is something to send, and soon after the start.
 */
import type { IdbHome } from '../outbox/idb/home.ts'
import { idbOutbox } from '../outbox/idb/verbs.ts'
import { type HardTimes, type HardTimesDeps, hardTimes } from '../outbox/resilient/hard-times.ts'
import { requestSync } from '../runtime/background-sync.ts'
import { browserGzip } from '../runtime/browser.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { Agent } from './agent.ts'
import { syncTag, syncWhenStuck } from './background-sync.ts'
import { Sender, type SenderOptions } from './sender.ts'

export { createMemoryOutbox } from '../outbox/memory/open.ts'
export * from './extras.ts'

export function createSender(options: SenderOptions): Sender {
  const explain = async (body: string) => (await import('./third-piece.ts')).answerFaults(body)
  return new Sender({ ...options, runtime: { ...options.runtime, gzip: browserGzip() }, explain })
}

/** The whole outbox over a home that is open. */
export function createHardTimes(home: IdbHome, deps: Omit<HardTimesDeps, 'primary'>): HardTimes {
  return hardTimes({ ...deps, primary: idbOutbox(home) })
}

/** See `backgroundSync` of createAgent(). */
export function syncInBackground(agent: Agent, runtime: Runtime, { outbox }: { readonly outbox: string }): void {
  syncWhenStuck({ agent, runtime, request: () => requestSync(syncTag(outbox)) })
}
