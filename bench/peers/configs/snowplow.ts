// https://docs.snowplow.io/docs/sources/web-trackers/tracker-setup/initialization-options/: POST, localStorage queue and
// retries are defaults, and so is the bufferSize of 1 that it recommends against loss; what has gathered in the queue
// goes in one request up to maxPostBytes all the same. The queue holds 1,000 events, drops the oldest beyond, and is
// written anew for each event: a burst of 5,000 can crash the page, and with room for all of them it does so sooner.
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
