// https://docs.mixpanel.com/docs/tracking-methods/sdks/javascript: batch_requests with localStorage is the default, with
// 50 events a request every 5 s; persistence in localStorage as the page advises. Autocapture and replay are off. No
// option changes that the queue is read and written anew for each event, nor that a batch without an answer is dropped
// while the browser says that it is online (as in an outage of the server).
import mixpanel from 'mixpanel-browser'
import type { BenchEvent, Subject } from '../../page/contract.ts'

export const subject: Subject = {
  start({ sink }) {
    mixpanel.init('bench', {
      api_host: sink,
      persistence: 'localStorage',
      batch_requests: true,
      autocapture: false,
      record_sessions_percent: 0,
      // A headless browser counts as a bot otherwise.
      opt_out_tracking_by_default: false,
    })
  },
  record({ data }: BenchEvent) {
    mixpanel.track('web_request', { ...data })
  },
}
