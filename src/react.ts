export { UsageProvider, type UsageProviderProps } from './react/provider.ts'
export { useRecordOnMount } from './react/use-record-on-mount.ts'
export { useUsage } from './react/use-usage.ts'
export { useUsageStats } from './react/use-usage-stats.ts'
