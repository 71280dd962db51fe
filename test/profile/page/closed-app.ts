import * as z from 'zod'
import { createAgent, defineMeter } from '../../../src/index.ts'

const calls = defineMeter('calls', z.object({ n: z.number() }))

/** What the test calls in the page. */
export interface ClosedApp {
  /** Records so many events; resolves with their ids when they are stored. */
  record(count: number): Promise<string[]>
  /** The syncs that the browser has been asked for. */
  syncs(): Promise<string[]>
}

declare global {
  interface Window {
    app?: ClosedApp
  }
}

const registration = await navigator.serviceWorker.register('/sw.js', { type: 'module' })
await navigator.serviceWorker.ready

const usage = createAgent({
  relay: location.origin,
  token: () => fetch('/usage-token').then((answer) => answer.text()),
  meters: [calls],
  flushIntervalMs: 200,
  backgroundSync: true,
})

window.app = {
  async record(count) {
    const receipts = Array.from({ length: count }, (_, n) => usage.record(calls, { n }))
    await Promise.all(receipts.map(({ durable }) => durable))
    return receipts.map(({ id }) => id ?? 'refused')
  },
  syncs: () => (registration as unknown as { sync: { getTags(): Promise<string[]> } }).sync.getTags(),
}
