import { readAnswer, readProblem } from '../wire/read-answer.ts'
import type { Outcome } from './contract.ts'
import { retryAfterMs } from './retry-after.ts'

/** The parts of an HTTP answer that decide. */
export interface PlainAnswer {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: string
}

const LATER = new Set([408, 425, 429])

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function describe({ status, body }: PlainAnswer): { code: string; detail: string } {
  const known = readProblem(parse(body))
  if (known) return { code: known.code, detail: known.detail }
  return { code: `http_${status}`, detail: `The relay answered with status ${status}.` }
}

/** Turns the relay's answer into an outcome. No status, however strange, drops an event. */
export function classify(answer: PlainAnswer, nowMs: number): Outcome {
  const { status } = answer
  if (status >= 200 && status < 300) {
    const read = readAnswer(parse(answer.body))
    if (typeof read === 'object') return { kind: 'answered', answer: read }
    const detail = `Status ${status} without an answer of this protocol: a proxy, a captive portal, or the wrong relay address.${read && ` Wrong in it: ${read}.`}`
    return { kind: 'later', delayMs: 0, code: 'bad_answer', detail }
  }
  const { code, detail } = describe(answer)
  if (status === 401) return { kind: 'unauthorized', detail }
  if (status === 413) return { kind: 'too-large' }
  if (status >= 500 || LATER.has(status)) {
    return { kind: 'later', delayMs: retryAfterMs(answer.retryAfter, nowMs), code, detail }
  }
  return { kind: 'refused', status, code, detail }
}
