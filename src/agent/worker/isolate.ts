import type { DeadLetter } from '../../outbox/contract.ts'
import type { KeptToken } from '../../transport/token-source.ts'
import { StreamBook, type StreamBookOptions } from '../stream-book.ts'
import { Leftovers } from './leftovers.ts'

/**
 * What the requests of one isolate share about one account. Plain data only: a Worker must not touch another request's
 * promises, timers or connections, and none of those is in here.
 */
export interface Desk {
  /** One stream for all of the isolate's requests: the relay keeps a row for each stream for ever. */
  readonly book: StreamBook
  readonly leftovers: Leftovers
  readonly token: KeptToken
  /** Where no Durable Object keeps them: what the relay would not take, the newest of it. */
  readonly dead: DeadLetter[]
  readonly paused: Set<string>
  /** How long the relay is to be left alone, ms since 1970. `isMandatory`: it asked for that itself. */
  rest: { readonly untilMs: number; readonly isMandatory: boolean }
  settled: number
  buried: number
  /** What a relay has been told of refused and dropped events. */
  reported: number
}

/** Accounts that an isolate remembers; one that is forgotten opens another stream when it comes again. */
const MAX_DESKS = 1_000

let desks: Map<string, Desk> | undefined

/** The desk of that name, made at its first use. */
export function deskOf(name: string, options: StreamBookOptions): Desk {
  desks ??= new Map()
  const known = desks.get(name)
  if (known) {
    // Now it is the youngest.
    desks.delete(name)
    desks.set(name, known)
    return known
  }
  if (desks.size >= MAX_DESKS) forgetOne(desks)
  const desk: Desk = {
    book: new StreamBook(options),
    leftovers: new Leftovers(),
    token: {},
    dead: [],
    paused: new Set(),
    rest: { untilMs: 0, isMandatory: false },
    settled: 0,
    buried: 0,
    reported: 0,
  }
  desks.set(name, desk)
  return desk
}

/** As if the isolate were another: for tests. */
export function forgetDesks(): void {
  desks = undefined
}

/** The oldest with nothing left to do. */
function forgetOne(all: Map<string, Desk>): void {
  for (const [name, { leftovers, paused }] of all) {
    if (!leftovers.isEmpty || leftovers.elsewhere.length > 0 || paused.size > 0) continue
    all.delete(name)
    return
  }
}
