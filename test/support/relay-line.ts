/** A relay in one context of an origin, and the `fetch` that reaches it from others: pages, workers of any kind. */

interface Question {
  readonly to: 'relay'
  readonly id: string
  readonly url: string
  readonly method: string
  readonly headers: [string, string][]
  readonly body: ArrayBuffer
}

interface Answer {
  readonly to: string
  readonly status: number
  readonly body: string
}

/** Answers the line's questions until the result is called. */
export function answerLine(name: string, fetch: typeof globalThis.fetch): () => void {
  const line = new BroadcastChannel(name)
  line.onmessage = async ({ data }: MessageEvent<Question | Answer>) => {
    if (data.to !== 'relay') return
    const { id, url, method, headers, body } = data as Question
    try {
      const answer = await fetch(url, { method, headers, body })
      line.postMessage({ to: id, status: answer.status, body: await answer.text() } satisfies Answer)
    } catch {
      // No answer is an answer, too: status 0 is a network error.
      line.postMessage({ to: id, status: 0, body: '' } satisfies Answer)
    }
  }
  return () => line.close()
}

/** A fetch() that asks over the line. */
export function fetchOverLine(name: string): typeof globalThis.fetch {
  const line = new BroadcastChannel(name)
  return async (input, init) => {
    const request = new Request(input, init)
    const id = crypto.randomUUID()
    const body = await request.arrayBuffer()
    const answered = new Promise<Answer>((resolve) => {
      const hear = ({ data }: MessageEvent<Answer>) => {
        if (data.to !== id) return
        line.removeEventListener('message', hear)
        resolve(data)
      }
      line.addEventListener('message', hear)
    })
    const { url, method } = request
    line.postMessage({ to: 'relay', id, url, method, headers: [...request.headers], body } satisfies Question)
    const { status, body: text } = await answered
    if (status === 0) throw new TypeError('Failed to fetch')
    return new Response(text, { status })
  }
}
