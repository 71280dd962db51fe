// https://docs.sentry.io/platforms/javascript/best-practices/offline-caching/: makeBrowserOfflineTransport, flushed at
// startup. Its store holds 30 envelopes and its sender 64 by default; as every event here is meant to arrive, both may
// hold all of them.
// Sentry has no batches of events: each is an envelope of its own. Its integrations of errors and traces are off.
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
    Sentry.captureEvent({ message: 'web_request', level: 'info', extra: { ...data } })
  },
}
