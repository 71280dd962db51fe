import type { AgentStats } from '../agent/stats.ts'

/** Which flushes began since an earlier look, with how many of each reason. */
export function newFlushes(
  before: AgentStats['flushes'],
  now: AgentStats['flushes'],
): [reason: string, times: number][] {
  const earlier: Readonly<Record<string, number>> = before
  return Object.entries(now).flatMap(([reason, count]): [string, number][] => {
    const times = count - (earlier[reason] ?? 0)
    return times > 0 ? [[reason, times]] : []
  })
}
