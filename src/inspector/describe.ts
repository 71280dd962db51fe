import type { AgentStats } from '../agent/stats.ts'
import type { Entry, Run } from './contract.ts'
import type { RunState } from './runs.ts'

/** The inspector's own reason to pause: its offline switch. */
export const OFFLINE = 'inspector-offline'

const SURVIVES = { memory: 'nothing: memory only', process: 'the browser’s end', power: 'a power cut' } as const
const TOKEN_TROUBLES = ['unauthorized', 'token_unavailable']

export function whole(value: number): string {
  return value.toLocaleString('en')
}

export function count(value: number, noun: string): string {
  return `${whole(value)} ${noun}${value === 1 ? '' : 's'}`
}

export function clockTime(atMs: number): string {
  return new Date(atMs).toLocaleTimeString('en-GB')
}

/** Good, waiting for something, or in need of somebody. */
export type Mood = 'good' | 'waits' | 'bad'

/** What the agent is doing, in one sentence that changes only when that does. */
export function describeState(stats: AgentStats): { readonly mood: Mood; readonly text: string } {
  const { pausedBy, nextTryAtMs, waiting, storing, deadLetters, lastTrouble } = stats
  if (pausedBy.includes(OFFLINE)) {
    return { mood: 'waits', text: 'Offline by this switch. Other tabs may still send.' }
  }
  if (pausedBy.includes('auth')) return { mood: 'bad', text: 'Paused: the token is refused or cannot be had.' }
  if (pausedBy.length > 0) return { mood: 'waits', text: `Paused by ${pausedBy.join(', ')}. Recording goes on.` }
  if (nextTryAtMs !== undefined) return { mood: 'bad', text: `Tries again: ${lastTrouble?.code ?? 'trouble'}.` }
  if (stats.durability === 'memory') return { mood: 'bad', text: 'Events are kept in memory only.' }
  if (waiting + storing > 0) return { mood: 'waits', text: 'Events wait to be sent.' }
  if (deadLetters > 0) return { mood: 'bad', text: 'Nothing waits, but there are dead letters.' }
  return { mood: 'good', text: stats.recorded > 0 ? 'All sent. Nothing waits.' : 'Nothing is recorded yet.' }
}

/** The facts below the figures, in the order they stand; an empty one has nothing to say. */
export function describeFacts(stats: AgentStats, nowMs: number): Readonly<Record<string, string>> {
  const { nextTryAtMs, lastTrouble, pausedBy, refused, durability, openWindows } = stats
  const inSeconds = nextTryAtMs === undefined ? 0 : Math.max(0, Math.ceil((nextTryAtMs - nowMs) / 1_000))
  const refusals = Object.entries(refused).map(([code, times]) => `${whole(times)} × ${code}`)
  return {
    'Paused by': pausedBy.join(', ') || 'nothing',
    Token: describeToken(stats),
    Sends: `${stats.sender ? 'this tab' : 'another tab, or not yet'}; ${count(stats.requests, 'request')}`,
    'Next try': nextTryAtMs === undefined ? 'as events come' : `in ${inSeconds} s`,
    'Events survive': durability ? SURVIVES[durability] : 'not known yet',
    'Open windows': openWindows > 0 ? `${whole(openWindows)}, each of which becomes one event` : '',
    Refused: refusals.join(', ') || 'none',
    'Last trouble': lastTrouble ? `${clockTime(lastTrouble.atMs)} ${lastTrouble.code}: ${lastTrouble.detail}` : 'none',
  }
}

/** What is known of the token without ever seeing it. */
function describeToken({ pausedBy, lastTrouble, accepted }: AgentStats): string {
  if (pausedBy.includes('auth')) return 'refused, or cannot be had'
  if (accepted > 0) return 'taken'
  return lastTrouble && TOKEN_TROUBLES.includes(lastTrouble.code) ? 'was refused' : 'not used yet'
}

/** What follows a timeline entry's kind. */
export function describeEntry({ kind, what, events, times }: Entry): string {
  const often = times > 1 ? ` × ${whole(times)}` : ''
  if (kind === 'stored') return `${count(events, 'event')}, on ${what === 'memory' ? 'no disk' : 'disk'} (${what})`
  if (kind === 'accepted') return `${count(events, 'event')} by the relay`
  if (kind === 'dropped') return `${count(events, 'event')}: ${what}`
  return `${what}${often}`
}

const STATES: Readonly<Record<RunState, string>> = {
  storing: 'being stored',
  waiting: 'on disk',
  leaving: 'leaving',
  likely: 'likely accepted',
  accepted: 'accepted',
  dead: 'dead',
  gone: 'accepted, dropped or deleted',
}

export function describeRun(state: RunState, durability: AgentStats['durability'], dead: number): string {
  const text = state === 'waiting' && durability === 'memory' ? 'in memory' : STATES[state]
  return dead > 0 && state !== 'dead' ? `${text}, ${whole(dead)} dead` : text
}

/** A run's ids: that of its first event, and how far the numbers go. */
export function idsOf({ stream, from, to }: Run): string {
  return from === to ? `${stream}-${from}` : `${stream}-${from}…${to}`
}
