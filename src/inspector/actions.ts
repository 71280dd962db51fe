import type { AgentWatch } from './agent-watch.ts'
import { count, OFFLINE } from './describe.ts'
import { reportOf } from './report.ts'
import { saveFile } from './save-file.ts'

/** What the inspector's buttons do. Each resolves with what to tell the user. */
export const ACTIONS = {
  async offline({ agent }: AgentWatch): Promise<string> {
    if (agent.stats().pausedBy.includes(OFFLINE)) {
      agent.resume(OFFLINE)
      return 'Sending again.'
    }
    agent.pause(OFFLINE)
    return 'Offline: what is recorded now waits on disk.'
  },

  async flush({ agent }: AgentWatch): Promise<string> {
    const before = agent.stats().accepted
    await agent.flush()
    const { accepted, waiting } = agent.stats()
    return `Flushed: ${count(accepted - before, 'event')} accepted, ${count(waiting, 'event')} waiting.`
  },

  async report(watch: AgentWatch): Promise<string> {
    saveFile('metertap-report.json', 'application/json', await reportOf(watch, Date.now()))
    return 'The report is saved: figures, reasons and ids, no data.'
  },

  async exportLetters({ agent, letters }: AgentWatch): Promise<string> {
    saveFile('metertap-dead-letters.ndjson', 'application/x-ndjson', await agent.exportDeadLetters())
    return `${count(letters.length, 'dead letter')} saved, with their data.`
  },

  async retryLetters({ agent }: AgentWatch): Promise<string> {
    return `${count(await agent.retryDeadLetters(), 'dead letter')} sent again.`
  },
} satisfies Readonly<Record<string, (watch: AgentWatch) => Promise<string>>>
