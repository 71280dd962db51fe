import type { Agent } from '../agent/agent.ts'
import type { StreamSummary } from '../outbox/contract.ts'

/** What the inspector asks of an agent; it never records and never reads what waits. */
export type Inspected = Pick<
  Agent,
  'stats' | 'on' | 'flush' | 'pause' | 'resume' | 'streams' | 'deadLetters' | 'retryDeadLetters' | 'exportDeadLetters'
>

/** What can be asked of inspect(). */
export interface InspectOptions {
  /** What the agent is called where several are inspected. Default: "agent 1", "agent 2", … */
  readonly name?: string
  /** Whether the panel begins open. Default true. */
  readonly open?: boolean
}

/** An agent that is being inspected. */
export interface Inspection {
  /** `<metertap-inspector>`: the page's own where there was one, else one in the window's corner. */
  readonly element: HTMLElement
  /** Stops looking at this agent, takes back the inspector's own pause, and takes the corner's panel away. */
  close(): void
}

/** What the timeline tells of. */
export type EntryKind =
  | 'flush'
  | 'stored'
  | 'accepted'
  | 'dead'
  | 'paused'
  | 'resumed'
  | 'refused'
  | 'trouble'
  | 'dropped'
  | 'degraded'
  | 'recovered'

/** A line of the timeline. Alike ones that come within a second are one line. */
export interface Entry {
  readonly key: number
  readonly kind: EntryKind
  /** A reason, a code, a durability or an id: never an event's data. */
  readonly what: string
  /** Events it is about; 0 where it is about none. */
  readonly events: number
  readonly times: number
  readonly atMs: number
}

/** Numbers of the agent's stream that were given out between two looks, `from` and `to` included. */
export interface Run {
  readonly stream: string
  readonly from: number
  readonly to: number
  readonly atMs: number
}

/** How far one stream has come: its figures at the last look, and which of its numbers are dead. */
export interface Progress {
  readonly stats: ReturnType<Agent['stats']>
  readonly summary: StreamSummary | undefined
  /** Codes by number. */
  readonly dead: ReadonlyMap<number, string>
}
