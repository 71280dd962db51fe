import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

interface Message {
  readonly id?: number
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/** Connects to a Chromium that was started with --remote-debugging-port=0. */
async function connect(profile: string): Promise<WebSocket> {
  const [port, path] = (await readFile(join(profile, 'DevToolsActivePort'), 'utf8')).split('\n')
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error('Chromium’s debugging port does not answer.'))
  })
  return socket
}

let calls = 0

function call(socket: WebSocket, method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
  const id = ++calls
  return new Promise((resolve, reject) => {
    const listener = ({ data }: MessageEvent) => {
      const { id: answered, result = {}, error } = JSON.parse(String(data)) as Message
      if (answered !== id) return
      socket.removeEventListener('message', listener)
      if (error) reject(new Error(`${method}: ${error.message}`))
      else resolve(result)
    }
    socket.addEventListener('message', listener)
    socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }))
  })
}

/** Bounds an origin's storage, before its first write and for as long as the browser runs. */
export async function overrideQuota(profile: string, pageUrl: string, quotaBytes: number): Promise<void> {
  const socket = await connect(profile)
  const { targetInfos } = await call(socket, 'Target.getTargets', {})
  const page = (targetInfos as { targetId: string; url: string }[]).find(({ url }) => url === pageUrl)
  const { sessionId } = await call(socket, 'Target.attachToTarget', { targetId: page?.targetId, flatten: true })
  const quota = { origin: new URL(pageUrl).origin, quotaSize: quotaBytes }
  await call(socket, 'Storage.overrideQuotaForOrigin', quota, String(sessionId))
}
