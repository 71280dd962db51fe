/** The examples of docs/wire-protocol.md: each request in a block, and its answer in the next. */
export interface Example {
  /** The request's first line, and where it stands on the page. */
  readonly title: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly answer: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
}

const REQUEST = /^(GET|POST|PUT|OPTIONS) (\S+)$/
const ANSWER = /^HTTP\/1\.1 (\d{3})\b/

/** Reads the blocks of the language `http`, which stand in pairs. */
export function examplesIn(page: string): Example[] {
  const messages = [...page.matchAll(/^```http\n(.*?)^```$/gms)].map(([, text = '']) => messageOf(text))
  const pairs = Array.from({ length: Math.ceil(messages.length / 2) }, (_, nth) => messages.slice(2 * nth, 2 * nth + 2))
  return pairs.map(([request, answer], nth) => {
    const [, method, path] = REQUEST.exec(request?.start ?? '') ?? []
    const [, status] = ANSWER.exec(answer?.start ?? '') ?? []
    if (!(request && answer && method && path && status))
      throw new Error(`Example ${nth + 1} is no request and answer.`)
    const { headers, body } = request
    const title = `${nth + 1}: ${request.start}`
    return { title, method, path, headers, body, answer: { ...answer, status: Number(status) } }
  })
}

interface Message {
  readonly start: string
  readonly headers: Record<string, string>
  readonly body: string
}

function messageOf(text: string): Message {
  const [head = '', ...rest] = text.trimEnd().split('\n\n')
  const [start = '', ...lines] = head.split('\n')
  const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  return { start, headers: Object.fromEntries(pairs), body: rest.join('\n\n') }
}
