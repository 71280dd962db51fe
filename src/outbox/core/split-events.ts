import type { Segment } from '../contract.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c

/**
 * Splits JSON values joined by commas into their texts, exactly as they stand: nothing is parsed or written anew.
 *
 * @example splitEvents('["a",1,{"x":"],["}],["b",2,null]') // ['["a",1,{"x":"],["}]', '["b",2,null]']
 */
export function splitEvents(body: string): string[] {
  if (body === '') return []
  const texts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < body.length; at++) {
    const code = body.charCodeAt(at)
    if (code === QUOTE) at = closingQuote(body, at)
    else if (code === 0x5b || code === 0x7b) depth++
    else if (code === 0x5d || code === 0x7d) depth--
    else if (code === COMMA && depth === 0) {
      texts.push(body.slice(start, at))
      start = at + 1
    }
  }
  texts.push(body.slice(start))
  return texts
}

/** The segment that holds the texts of a longer one from number `from` to `to`. `texts` starts at number `first`. */
export function sliceSegment(
  stream: string,
  texts: readonly string[],
  first: number,
  from: number,
  to: number,
): Segment {
  const body = texts.slice(from - first, to - first + 1).join(',')
  return { stream, first: from, count: to - from + 1, bytes: new TextEncoder().encode(body).length, body }
}

function closingQuote(body: string, opening: number): number {
  let at = opening + 1
  while (at < body.length && body.charCodeAt(at) !== QUOTE) at += body.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at
}
