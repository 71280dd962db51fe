// https://learn.microsoft.com/azure/azure-monitor/app/javascript-sdk-configuration: defaults for batching
// (maxBatchInterval 15 s, 100 kB), the session storage buffer and retries. Page views, dependencies and exceptions are
// not tracked. The offline channel is a beta of its own, and none of its releases fits this one.
import { ApplicationInsights } from '@microsoft/applicationinsights-web'
import type { BenchEvent, Subject } from '../../page/contract.ts'

let insights: ApplicationInsights

export const subject: Subject = {
  start({ sink }) {
    const connectionString = `InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=${sink}/`
    insights = new ApplicationInsights({
      config: {
        connectionString,
        disableAjaxTracking: true,
        disableFetchTracking: true,
        disableExceptionTracking: true,
        enableAutoRouteTracking: false,
        featureOptIn: {},
        extensionConfig: { AppInsightsCfgSyncPlugin: { cfgUrl: '' } },
      },
    })
    insights.loadAppInsights()
  },
  record({ data }: BenchEvent) {
    insights.trackEvent({ name: 'web_request' }, { ...data })
  },
}
