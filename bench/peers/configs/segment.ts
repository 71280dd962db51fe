// https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/website/javascript#batching
// (strategy 'batching' with its defaults, 10 events or 5 s) and #retries: the retry queue persists to localStorage by
// default. Settings come from the page instead of Segment's CDN; that only saves it a request.
import { AnalyticsBrowser } from '@segment/analytics-next'
import type { BenchEvent, Subject } from '../../page/contract.ts'

let analytics: AnalyticsBrowser

export const subject: Subject = {
  async start({ sink }) {
    const { host } = new URL(sink)
    const segment = { apiKey: 'bench', apiHost: `${host}/v1`, protocol: 'http' }
    analytics = AnalyticsBrowser.load(
      { writeKey: 'bench', cdnURL: sink, cdnSettings: { integrations: { 'Segment.io': segment } } },
      {
        integrations: {
          'Segment.io': { deliveryStrategy: { strategy: 'batching', config: { size: 10, timeout: 5_000 } } },
        },
      },
    )
    await analytics.ready()
  },
  record({ data }: BenchEvent) {
    void analytics.track('web_request', data)
  },
}
