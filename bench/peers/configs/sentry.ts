// https://docs.sentry.io/platforms/javascript/metrics/: a counter is what it has for "events (orders, clicks, API
// calls)", and what it sends in batches (1,000, or 5 s); an event of captureEvent() would be an envelope and a request of
// its own. https://docs.sentry.io/platforms/javascript/best-practices/offline-caching/: makeBrowserOfflineTransport,
// flushed at startup. Its store holds 30 envelopes and its sender 64 by default; as every event here is meant to arrive,
// both may hold all of them. Its integrations of errors and traces are off.
import * as Sentry from '@sentry/browser'
import type { BenchEvent, Subject } from '../../page/contract.ts'

const ROOM = { maxQueueSize: 100_000, bufferSize: 100_000 }
const makeTransport = Sentry.makeBrowserOfflineTransport(Sentry.makeFetchTransport)

export const subject: Subject = {
  start({ sink }) {
    const { host } = new URL(sink)
    Sentry.init({
      dsn: `http://bench@${host}/1`,
      transport: (options) => makeTransport({ ...options, ...ROOM, flushAtStartup: true }),
      defaultIntegrations: false,
    })
  },
  record({ data }: BenchEvent) {
    Sentry.metrics.count('web_request', 1, { attributes: { ...data } })
  },
}
