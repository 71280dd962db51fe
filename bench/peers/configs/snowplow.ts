// https://docs.snowplow.io/docs/sources/trackers/web-trackers/tracker-setup/initialization-options/: POST, localStorage
// queue (1,000 events) and retries are defaults, and so is the bufferSize of 1 that it recommends against loss; what has
// gathered in the queue goes in one request up to maxPostBytes all the same.
import { newTracker, trackSelfDescribingEvent } from '@snowplow/browser-tracker'
import type { BenchEvent, Subject } from '../../page/contract.ts'

const SCHEMA = 'iglu:com.example/web_request/jsonschema/1-0-0'

export const subject: Subject = {
  start({ sink }) {
    newTracker('bench', sink, { appId: 'bench' })
  },
  record({ data }: BenchEvent) {
    trackSelfDescribingEvent({ event: { schema: SCHEMA, data: { ...data } } })
  },
}
