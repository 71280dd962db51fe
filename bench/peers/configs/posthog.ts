// https://posthog.com/docs/libraries/js/config: the recommended `defaults`, persistence 'localStorage+cookie' and
// request batching are what it does by itself. Turned off is what this page does not use (autocapture, replay, surveys,
// flags), so that only the events' own price is measured; each of those would cost more.
import posthog from 'posthog-js'
import type { BenchEvent, Subject } from '../../page/contract.ts'

export const subject: Subject = {
  start({ sink }) {
    return new Promise((resolve) => {
      posthog.init('phc_bench', {
        api_host: sink,
        defaults: '2026-01-30',
        autocapture: false,
        capture_pageview: false,
        capture_pageleave: false,
        capture_performance: false,
        capture_dead_clicks: false,
        disable_session_recording: true,
        disable_surveys: true,
        advanced_disable_flags: true,
        // Counts a burst as a runaway loop and drops it otherwise: 10 events a second, 100 at once.
        rate_limiting: { events_per_second: 100_000, events_burst_limit: 1_000_000 },
        // A headless browser counts as a bot otherwise.
        opt_out_useragent_filter: true,
        loaded: () => resolve(),
      })
    })
  },
  record({ data }: BenchEvent) {
    posthog.capture('web_request', data)
  },
}
