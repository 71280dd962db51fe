// https://amplitude.com/docs/sdks/analytics/browser/browser-sdk-2: defaults for batching (flushQueueSize,
// flushIntervalMillis), retries and localStorage, with the listener that its section on sendBeacon recommends. Autocapture
// is off, and so is remote configuration: the page records its own events only. An event is given up after five retries
// (flushMaxRetries), which are over in seconds; as every event here is meant to arrive, there may be more.
import * as amplitude from '@amplitude/analytics-browser'
import type { BenchEvent, Subject } from '../../page/contract.ts'

export const subject: Subject = {
  async start({ sink }) {
    const options = {
      serverUrl: `${sink}/2/httpapi`,
      autocapture: false,
      fetchRemoteConfig: false,
      flushMaxRetries: 1_000,
    } as const
    await amplitude.init('bench', 'bench-user', options).promise
    addEventListener('pagehide', () => {
      amplitude.setTransport('beacon')
      amplitude.flush()
    })
  },
  record({ data }: BenchEvent) {
    amplitude.track('web_request', data)
  },
}
