import type { Fault, FaultKind } from './contract.ts'
import { type Answer, CODES, type ErrorWriter, successAnswer } from './error-bodies.ts'
import type { FaultEngine, Place } from './faults.ts'

/** How a call ends: with an answer, or with a cut connection (in the middle of the answer's body, or before it). */
export type Reply = { readonly fault?: FaultKind['kind'] } & (
  | { readonly answer: Answer; readonly cut?: 'body' }
  | { readonly cut: 'all' }
)

export interface FaultDeps {
  readonly faults: FaultEngine
  readonly writeError: ErrorWriter
  readonly revokeTokens: () => void
  readonly now: () => number
  /** False when the server was closed meanwhile. */
  readonly sleep: (ms: number) => Promise<boolean>
}

/** The kinds that decide how a call ends; the others act elsewhere. */
const ENDINGS = ['status', 'rate-limit', 'unauthorized', 'redirect', 'success-false', 'answer-lost'] as const
type Ending = Extract<Fault, { readonly kind: (typeof ENDINGS)[number] }>

/** Runs `perform` the way the rules in force want it: late, not at all, or with another end. */
export async function underFaults(place: Place, deps: FaultDeps, perform: () => Promise<Answer>): Promise<Reply> {
  const slow = deps.faults.take(place, ['slow'])
  if (slow && slow.when !== 'after' && !(await deps.sleep(slow.delayMs))) return { cut: 'all', fault: 'slow' }
  const ending = deps.faults.take(place, ENDINGS)
  const reply: Reply = ending ? await end(ending, deps, perform) : { answer: await perform() }
  if (slow?.when === 'after' && !(await deps.sleep(slow.delayMs))) return { cut: 'all', fault: 'slow' }
  return slow && !reply.fault ? { ...reply, fault: 'slow' } : reply
}

async function end(ending: Ending, deps: FaultDeps, perform: () => Promise<Answer>): Promise<Reply> {
  const { kind: fault } = ending
  if ('stored' in ending && ending.stored) await perform()
  switch (ending.kind) {
    case 'answer-lost': {
      const answer = await perform()
      return ending.cut === 'body' ? { fault, cut: 'body', answer } : { fault, cut: 'all' }
    }
    case 'redirect':
      return { fault, answer: { status: ending.status ?? 307, headers: { location: ending.location }, text: '' } }
    case 'success-false':
      return { fault, answer: successAnswer(false, 'The events could not be processed.') }
    case 'unauthorized':
      if (ending.revoke ?? true) deps.revokeTokens()
      return { fault, answer: write(deps, 401, CODES.auth, 'The access token is not valid.', ending) }
    case 'rate-limit':
      return {
        fault,
        answer: write(deps, 429, CODES.rateLimit, 'Too many requests.', ending, retryHeaders(ending, deps.now())),
      }
    case 'status':
      return {
        fault,
        answer: write(deps, ending.status, CODES.fault, `The service answered ${ending.status}.`, ending),
      }
  }
}

function write(
  deps: FaultDeps,
  status: number,
  code: number,
  message: string,
  ending: Extract<Ending, { body?: unknown }>,
  headers: Record<string, string> = {},
): Answer {
  return deps.writeError({ status, code, message, headers, shape: ending.body })
}

function retryHeaders(fault: Extract<Ending, { kind: 'rate-limit' }>, nowMs: number): Record<string, string> {
  const { retryAfter, asDate } = fault
  if (retryAfter === undefined) return {}
  const isDate = asDate && typeof retryAfter === 'number'
  return { 'retry-after': isDate ? new Date(nowMs + retryAfter * 1_000).toUTCString() : String(retryAfter) }
}
