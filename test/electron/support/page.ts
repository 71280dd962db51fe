/** The page: the real agent over the real preload script. Bundled for Chromium. */
import { createAgent, lendBridge } from '../../../src/electron-renderer.ts'
import { calls, clicks } from './meters.ts'
import type { Told } from './page-worker.ts'

declare global {
  interface Window {
    /** The test hears of each receipt that is durable. */
    told(id: string, meter: string): void
    electronPage?: {
      readonly record: typeof record
      readonly recordForEver: typeof recordForEver
      readonly letWorkerRecord: typeof letWorkerRecord
    }
  }
  /** The worker's script: a file may not start another file as its worker. */
  const PAGE_WORKER: string
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

/** A worker records until it is terminated, which is what comes back. */
function letWorkerRecord(): () => void {
  const worker = new Worker(URL.createObjectURL(new Blob([PAGE_WORKER], { type: 'text/javascript' })))
  worker.addEventListener('message', ({ data: { id, meter } }: MessageEvent<Told>) => window.told(id, meter))
  const port = lendBridge()
  worker.postMessage(port, [port])
  return () => worker.terminate()
}

window.electronPage = { record, recordForEver, letWorkerRecord }
