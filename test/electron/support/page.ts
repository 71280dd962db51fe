/** The page: the real agent over the real preload script. Bundled for Chromium. */
import { createAgent } from '../../../src/electron-renderer.ts'
import { calls, clicks } from './meters.ts'

declare global {
  interface Window {
    /** The test hears of each receipt that is durable. */
    told(id: string, meter: string): void
    electronPage?: { readonly record: typeof record; readonly recordForEver: typeof recordForEver }
  }
}

const usage = createAgent({ meters: [calls, clicks] })

/** All in one task. */
function record(from: number, count: number): void {
  for (let n = from; n < from + count; n++) recordOne(n)
}

async function recordForEver(from: number): Promise<void> {
  for (let n = from; ; n++) {
    recordOne(n)
    void usage.record(clicks, { n: 1 }).durable.then(() => window.told('', 'clicks'))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

function recordOne(n: number): void {
  const receipt = usage.record(calls, { n })
  if (receipt.error) throw receipt.error
  void receipt.durable.then(() => window.told(receipt.id, 'calls'))
}

window.electronPage = { record, recordForEver }
