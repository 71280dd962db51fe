import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { HttpProblem } from '../problem.ts'

const inflate = promisify(gunzip)

/**
 * Undoes the content encoding (none, identity or gzip) under a cap on the result.
 *
 * Errors: HttpProblem unsupported_encoding, not_gzip, inflated_too_large.
 */
export async function decodeBody(body: Uint8Array, encoding: string | null, maxBodyBytes: number): Promise<Uint8Array> {
  const name = (encoding ?? '').trim().toLowerCase()
  if (name === '' || name === 'identity') {
    if (body.byteLength > maxBodyBytes) throw tooLarge(maxBodyBytes)
    return body
  }
  if (name !== 'gzip') {
    throw new HttpProblem('unsupported_encoding', 'Send Content-Encoding: gzip, or no Content-Encoding.', {
      'Accept-Encoding': 'gzip',
    })
  }
  try {
    return await inflate(body, { maxOutputLength: maxBodyBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBodyBytes)
    throw new HttpProblem('not_gzip', 'Content-Encoding says gzip, but the body is not a whole gzip stream.')
  }
}

/** Parses UTF-8 JSON. Bytes that are not UTF-8 are refused: replacing them would change the data unseen. */
export function parseJson(body: Uint8Array): unknown {
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

function tooLarge(maxBodyBytes: number): HttpProblem {
  return new HttpProblem('inflated_too_large', `An inflated body may have ${maxBodyBytes} bytes: send smaller batches.`)
}
