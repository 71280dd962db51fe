// https://www.rudderstack.com/docs/sources/event-streams/sdks/rudderstack-javascript-sdk/load-js-sdk/: queueOptions with
// batching enabled and its defaults (100 events, 512 KB, 60 s); the queue persists to localStorage by default. A batch
// that is not full waits those 60 s, longer than the bench's quick form does: the last event is late there, not lost. The
// source configuration is given by the page; plugins are bundled, as for sites that load nothing from a CDN.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'
import type { BenchEvent, Subject } from '../../page/contract.ts'

const SOURCE = {
  source: {
    id: 'bench',
    name: 'bench',
    writeKey: 'bench',
    enabled: true,
    workspaceId: 'bench',
    config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } },
    destinations: [],
    connections: [],
  },
}

let analytics: RudderAnalytics

export const subject: Subject = {
  start({ sink }) {
    analytics = new RudderAnalytics()
    return new Promise((resolve) => {
      analytics.load('bench-write-key-of-27-chars', sink, {
        getSourceConfig: () => SOURCE,
        queueOptions: { batch: { enabled: true } },
        onLoaded: () => resolve(),
      })
    })
  },
  record({ data }: BenchEvent) {
    analytics.track('web_request', { ...data })
  },
}
