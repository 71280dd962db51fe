type Handler = (...args: never[]) => unknown

const RETRY_MS = 100

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function post(path: string, body: unknown, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(path, { method: 'POST', body: JSON.stringify(body), signal })
}

async function run(handler: Handler | undefined, args: unknown[]): Promise<{ result?: unknown; error?: string }> {
  try {
    if (!handler) throw new Error('no such command')
    return { result: await handler(...(args as never[])) }
  } catch (error) {
    return { error: `${error}` }
  }
}

/**
 * Asks the server for commands until `enough` aborts. Commands run side by side. A page that is done has to stop: a
 * browser opens six connections to a server, and each poll is one of them.
 */
export async function listen(
  id: string,
  handlers: Readonly<Record<string, Handler>>,
  enough: AbortSignal,
): Promise<void> {
  while (!enough.aborted) {
    try {
      const answer = await post(`/next/${id}`, null, enough)
      if (answer.status !== 200) continue
      const { call, name, args } = (await answer.json()) as { call: number; name: string; args: unknown[] }
      void run(handlers[name], args).then((outcome) => post(`/answer/${id}`, { call, ...outcome }))
    } catch {
      await pause(RETRY_MS)
    }
  }
}

/** Tells the server without ending the task; the server may end the page instead of answering. */
export function strike(id: string, ids: readonly string[]): void {
  const request = new XMLHttpRequest()
  request.open('POST', `/strike/${id}`, false)
  request.send(JSON.stringify(ids))
}
