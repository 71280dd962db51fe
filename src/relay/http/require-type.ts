import { HttpProblem } from '../problem.ts'

/** Refuses another content type than the one given; parameters other than a charset of UTF-8 do not matter. */
export function requireType(request: Request, type: string): void {
  const [given = '', ...parameters] = (request.headers.get('content-type') ?? '').toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  if (given.trim() === type && isUtf8) return
  throw new HttpProblem('unsupported_media_type', `Send Content-Type: ${type}, in UTF-8.`)
}
