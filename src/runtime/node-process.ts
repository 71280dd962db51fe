import type { EventEmitter } from 'node:events'

/** One agent's part in the end of its process. */
export interface ProcessMember {
  /** The process ends with this call: only what is synchronous can be done. */
  onExit(): void
  /** Nothing is left to do; what this begins is waited for, and then the question comes again. */
  onIdle(): void
  /** The process was told to end. */
  onSignal(): Promise<void>
}

export type EndSignal = 'SIGTERM' | 'SIGINT'

const HUB: unique symbol = Symbol.for('metertap.process-hub.1')

type Listener = (() => void) & { [HUB]?: Set<ProcessMember> }

/**
 * Takes part in the end of this process: gives back what ends that. Any number of agents share one listener for each
 * event. Signals: when nobody else listens, the process ends by the signal, as it would have without this, once all
 * members are done (or at once on a second signal); else ending it is the other listeners' business.
 */
export function joinProcess(member: ProcessMember, signals: readonly EndSignal[]): () => void {
  const leave = [
    joinEvent('exit', member, (members) => () => {
      for (const each of members) each.onExit()
    }),
    joinEvent('beforeExit', member, (members) => () => {
      for (const each of members) each.onIdle()
    }),
    ...signals.map((signal) => joinEvent(signal, member, (members) => endBy(signal, members))),
  ]
  return () => {
    for (const each of leave) each()
  }
}

/** The members are kept at the listener itself, so that copies of this module find each other's. */
function joinEvent(
  event: EndSignal | 'exit' | 'beforeExit',
  member: ProcessMember,
  listenerFor: (members: ReadonlySet<ProcessMember>) => () => void,
): () => void {
  let listener = hubOf(event)
  if (!listener) {
    const members = new Set<ProcessMember>()
    listener = Object.assign(listenerFor(members), { [HUB]: members }) as Listener
    // First, so that it sees who else listens: a listener for one time is gone from the list when it is called.
    emitter().prependListener(event, listener)
  }
  const members = listener[HUB] as Set<ProcessMember>
  members.add(member)
  const joined = listener
  return () => {
    members.delete(member)
    if (members.size === 0) emitter().removeListener(event, joined)
  }
}

function hubOf(event: string): Listener | undefined {
  return (emitter().listeners(event) as Listener[]).find((each) => each[HUB] !== undefined)
}

/** Its own type knows each event's parameters, of which none is needed. */
function emitter(): EventEmitter {
  return process
}

function endBy(signal: EndSignal, members: ReadonlySet<ProcessMember>): () => void {
  let isEnding = false
  const end = () => {
    const hub = hubOf(signal)
    if (hub) emitter().removeListener(signal, hub)
    process.kill(process.pid, signal)
  }
  return () => {
    const isAlone = process.listenerCount(signal) === 1
    if (isEnding) {
      if (isAlone) end()
      return
    }
    isEnding = true
    void Promise.allSettled([...members].map((each) => each.onSignal())).then(() => {
      isEnding = false
      if (isAlone) end()
    })
  }
}
