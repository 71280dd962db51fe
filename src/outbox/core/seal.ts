import type { Segment } from '../contract.ts'

/** Characters of the body that are looked at. */
const SAMPLES = 64
/** FNV's prime for 32 bits. */
const PRIME = 16_777_619

/**
 * A number made of a segment's place, its size and a sample of its text. It does not stand against forgery, but tells a
 * row that is as it was written from one that was cut, mixed up or edited, for a thousandth of what parsing costs.
 */
export function sealOf({ first, count, body }: Pick<Segment, 'first' | 'count' | 'body'>): number {
  let seal = 0
  const mix = (value: number) => {
    seal = Math.imul(seal ^ value, PRIME)
  }
  mix(first)
  mix(count)
  mix(body.length)
  for (let i = 0; i < SAMPLES; i++) mix(body.charCodeAt(Math.round((i * (body.length - 1)) / (SAMPLES - 1))))
  return seal >>> 0
}

export function sealed(segment: Segment): Segment {
  return { ...segment, seal: sealOf(segment) }
}
