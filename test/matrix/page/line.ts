type Handler = (...args: never[]) => unknown

const RETRY_MS = 100

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function post(path: string, body: unknown): Promise<Response> {
  return fetch(path, { method: 'POST', body: JSON.stringify(body) })
}

async function run(handler: Handler | undefined, args: unknown[]): Promise<{ result?: unknown; error?: string }> {
  try {
    if (!handler) throw new Error('no such command')
    return { result: await handler(...(args as never[])) }
  } catch (error) {
    return { error: `${error}` }
  }
}

/** Asks the server for commands, for as long as the page lives. Commands run side by side. */
export async function listen(id: string, handlers: Readonly<Record<string, Handler>>): Promise<never> {
  for (;;) {
    try {
      const answer = await post(`/next/${id}`, null)
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
