import type { Agent, AgentStats } from '../../../src/index.ts'
import { setText, whole } from './dom.ts'

const REFRESH_MS = 200

/** Shows usage.stats() until the page ends. */
export function openPanel(usage: Agent): void {
  const show = (): void => showStats(usage.stats(), Date.now())
  for (const event of ['stored', 'settled', 'trouble', 'paused', 'refused', 'deadletter'] as const)
    usage.on(event, show)
  setInterval(show, REFRESH_MS)
  show()
}

function showStats(stats: AgentStats, nowMs: number): void {
  setText('recorded', whole(stats.recorded))
  setText('waiting', whole(stats.waiting))
  setText('in-flight', whole(stats.inFlight))
  setText('accepted', whole(stats.accepted))
  setFact('dead-letters', whole(stats.deadLetters), stats.deadLetters > 0)
  const refused = Object.entries(stats.refused).map(([code, count]) => `${count} × ${code}`)
  setFact('refused', refused.join(', ') || 'none', refused.length > 0)
  setText('sender', stats.sender ? 'yes' : 'no, another tab does')
  setText('durability', stats.durability ?? 'not known yet')
  setFact('paused-by', stats.pausedBy.join(', ') || 'nothing', stats.pausedBy.length > 0)
  setText(
    'next-try',
    stats.nextTryAtMs === undefined ? 'as events come' : `in ${secondsUntil(stats.nextTryAtMs, nowMs)} s`,
  )
  setText('last-trouble', describeTrouble(stats.lastTrouble))
}

function setFact(id: string, text: string, isAlert: boolean): void {
  setText(id, text).classList.toggle('alert', isAlert)
}

function secondsUntil(atMs: number, nowMs: number): string {
  return Math.max(0, (atMs - nowMs) / 1_000).toFixed(1)
}

function describeTrouble(trouble: AgentStats['lastTrouble']): string {
  if (!trouble) return 'none'
  return `${new Date(trouble.atMs).toLocaleTimeString()} ${trouble.code}: ${trouble.detail}`
}
