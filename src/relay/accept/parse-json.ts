import { HttpProblem } from '../problem.ts'

const COMMA = 0x2c
const OPEN_LIST = 0x5b
const OPEN_OBJECT = 0x7b

/**
 * Parses UTF-8 JSON of at most maxValues values. Bytes that are not UTF-8 are refused: replacing them would change the
 * data unseen.
 *
 * Errors: HttpProblem too_complex, not_json.
 */
export function parseJson(body: Uint8Array, maxValues: number): unknown {
  // A megabyte of "[[],[],…" takes thirty in memory: counted before anything is made of it.
  if (body.length > maxValues && countMarks(body) > maxValues) {
    throw new HttpProblem('too_complex', `A body may have ${maxValues} values: send smaller batches.`)
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new HttpProblem('not_json', 'The body is not UTF-8: send JSON in UTF-8.')
  }
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the body.
    throw new HttpProblem('not_json', 'The body does not parse as JSON.')
  }
}

/** Commas and opening brackets, those in strings too: no JSON has more values than that and one. */
function countMarks(body: Uint8Array): number {
  let count = 0
  // By index: an iterator takes several times as long.
  for (let index = 0; index < body.length; index++) {
    const byte = body[index]
    if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) count++
  }
  return count
}
