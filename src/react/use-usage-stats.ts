import { useMemo, useSyncExternalStore } from 'react'
import type { Agent } from '../agent/agent.ts'
import type { AgentEvents, AgentStats } from '../agent/stats.ts'
import { useUsage } from './use-usage.ts'

const EVENTS: readonly (keyof AgentEvents)[] = [
  ...(['refused', 'stored', 'settled', 'counted', 'deadletter', 'trouble'] as const),
  ...(['paused', 'degraded', 'recovered', 'dropped'] as const),
]

/**
 * What the agent has counted, kept up to date with its events. Undefined on a server and in the first render after one.
 *
 * @example const waiting = useUsageStats()?.waiting ?? 0
 */
export function useUsageStats(): AgentStats | undefined {
  const usage = useUsage()
  const { subscribe, look } = useMemo(() => statsOf(usage), [usage])
  return useSyncExternalStore(subscribe, look, () => undefined)
}

/** A store as React wants it: the same snapshot until something happened, and none before somebody looks. */
function statsOf(usage: Agent): { subscribe(onChange: () => void): () => void; look(): AgentStats | undefined } {
  let seen: AgentStats | undefined
  return {
    look: () => seen,
    subscribe(onChange) {
      const refresh = () => {
        seen = usage.stats()
        onChange()
      }
      const ends = EVENTS.map((event) => usage.on(event, refresh))
      refresh()
      return () => {
        for (const end of ends) end()
      }
    },
  }
}
