import type { Agent } from '../agent.ts'

/** What the main process knows of its pages. */
export interface PageStats {
  /** Agents in pages that live. */
  readonly agents: number
  /** Messages and groups refused, by error code. */
  readonly refused: Readonly<Record<string, number>>
}

interface MainExtras {
  /** What the main process knows of its pages. Cheap and synchronous. */
  pages(): PageStats
  /** The agent of another account tag: its statistics, its dead letters, its events. */
  account(tag: string): Agent
  /** Ends the sessions of all pages, stores and sends what waits, and lets go of everything. */
  close(): Promise<void>
}

/** The main process's agent: records by itself, and for every page that may. */
export interface ElectronMainAgent extends Agent, MainExtras {
  close(): Promise<void>
}

/** The agent of the main process's own account, with what concerns all of them. */
export function createElectronAgent(own: Agent, extras: MainExtras): ElectronMainAgent {
  return {
    record: (meter, data, options) => own.record(meter, data, options),
    flush: () => own.flush(),
    pause: (reason) => own.pause(reason),
    resume: (reason) => own.resume(reason),
    purge: () => own.purge(),
    stats: () => own.stats(),
    streams: () => own.streams(),
    deadLetters: () => own.deadLetters(),
    retryDeadLetters: (letters) => own.retryDeadLetters(letters),
    deleteDeadLetters: (letters) => own.deleteDeadLetters(letters),
    exportDeadLetters: () => own.exportDeadLetters(),
    on: (event, listener) => own.on(event, listener),
    ...extras,
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
}
