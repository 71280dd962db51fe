/** A worker of the page: the real agent over what the page lends. Bundled for Chromium. */
import { createAgent } from '../../../src/electron-renderer.ts'
import { calls, clicks } from './meters.ts'

/** What the page hears of each receipt that is durable. */
export interface Told {
  readonly id: string
  readonly meter: string
}

const tell = (told: Told) => globalThis.postMessage(told)

globalThis.addEventListener('message', async ({ data: bridge }: MessageEvent<MessagePort>) => {
  const usage = createAgent({ meters: [calls, clicks], bridge })
  for (let n = 0; ; n++) {
    const receipt = usage.record(calls, { n })
    if (receipt.error) throw receipt.error
    void receipt.durable.then(() => tell({ id: receipt.id, meter: 'calls' }))
    void usage.record(clicks, { n: 1 }).durable.then(() => tell({ id: '', meter: 'clicks' }))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
})
