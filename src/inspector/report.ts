import type { AgentWatch } from './agent-watch.ts'

/** What can be handed to somebody who helps: figures, reasons and ids, no event's data and no token. */
export async function reportOf({ agent, name, stats, entries, runs }: AgentWatch, nowMs: number): Promise<string> {
  const at = (atMs: number): string => new Date(atMs).toISOString()
  const timeline = entries.map(({ key: _, atMs, ...entry }) => ({ at: at(atMs), ...entry }))
  const events = runs.map(({ atMs, ...run }) => ({ at: at(atMs), ...run }))
  const report = { madeAt: at(nowMs), agent: name, stats, streams: await agent.streams(), timeline, events }
  return `${JSON.stringify(report, null, 2)}\n`
}
