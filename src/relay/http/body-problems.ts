import { HttpProblem } from '../problem.ts'
import type { BodyCaps } from './read-body.ts'

export function noMemory(reason: 'own' | 'all'): HttpProblem {
  const retry = { 'Retry-After': '1' }
  if (reason === 'own') {
    return new HttpProblem('rate_limited', 'Your open bodies fill your share of memory: send one after another.', retry)
  }
  const detail = 'The relay reads as many bodies as it has memory for: send the same batch again in a moment.'
  return new HttpProblem('overloaded', detail, retry)
}

export function wireTooLarge({ maxWireBytes }: BodyCaps): HttpProblem {
  return new HttpProblem('body_too_large', `A body may have ${maxWireBytes} bytes on the wire: send smaller batches.`)
}

export function bodyTooLarge({ maxBodyBytes }: BodyCaps): HttpProblem {
  return new HttpProblem('inflated_too_large', `An inflated body may have ${maxBodyBytes} bytes: send smaller batches.`)
}

export function ratioTooHigh({ maxInflateRatio }: BodyCaps): HttpProblem {
  const detail = `A body may inflate to ${maxInflateRatio} times its bytes on the wire: send smaller batches.`
  return new HttpProblem('ratio_too_high', detail)
}

export function notGzip(): HttpProblem {
  return new HttpProblem('not_gzip', 'Content-Encoding says gzip, but the body is not a whole gzip stream.')
}

export function tooSlow({ timeoutMs }: BodyCaps): HttpProblem {
  return new HttpProblem('body_timeout', `A body has ${timeoutMs} ms to arrive: send smaller batches.`)
}
