import { BRIDGE_VERSION, type BridgePort, type BridgeRequest } from './contract.ts'

/** From the worker. Ids are unique among all agents of a port. */
interface Call {
  readonly id: string
  readonly request: BridgeRequest
}

/** From its page. Without an answer nobody took the call. */
interface Answer {
  readonly id: string
  readonly answer?: unknown
}

/** From the worker: holds this lock for as long as it lives. */
interface Life {
  readonly lock: string
}

type Locks = Pick<LockManager, 'request'> | undefined

/**
 * In the page: answers what comes through its end of a channel by its own bridge. A worker that is terminated says no
 * good-bye: its lock comes free, so its windows become events now, not with the end of its page.
 */
export function serveWorker(bridge: BridgePort, port: MessagePort, locks: Locks): void {
  const sessions = new Set<string>()
  const end = () => {
    for (const session of sessions) bridge.call({ v: BRIDGE_VERSION, session, kind: 'close' }).catch(() => {})
    sessions.clear()
  }
  port.addEventListener('message', ({ data }: MessageEvent<Call | Life>) => {
    // Whatever else a worker may say: the main process judges its requests, as it judges the page's.
    if (typeof data !== 'object' || data === null) return
    if ('lock' in data) {
      locks?.request(String(data.lock), end).catch(() => {})
      return
    }
    const { id, request } = data
    if (request?.kind === 'hello') sessions.add(request.session)
    bridge.call(request).then(
      (answer) => port.postMessage({ id, answer } satisfies Answer),
      () => port.postMessage({ id } satisfies Answer),
    )
  })
  port.start()
}

/** In the worker: its page's bridge, through the other end. `name`: a random one. */
export function bridgeThrough(port: MessagePort, locks: Locks, name: string): BridgePort {
  const waiting = new Map<string, PromiseWithResolvers<unknown>>()
  let calls = 0
  port.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    const call = waiting.get(data.id)
    waiting.delete(data.id)
    if ('answer' in data) call?.resolve(data.answer)
    else call?.reject(new Error('No main process answers.'))
  })
  port.start()
  const live = () => {
    port.postMessage({ lock: `metertap-worker:${name}` } satisfies Life)
    return new Promise(() => {})
  }
  // Denied where locks are denied: then the windows wait for the page's end.
  locks?.request(`metertap-worker:${name}`, live).catch(() => {})
  return {
    // The page's preload script is of any version; the main process asks for ours in each message.
    version: BRIDGE_VERSION,
    call(request) {
      const id = `${request.session}:${calls++}`
      const call = Promise.withResolvers<unknown>()
      waiting.set(id, call)
      port.postMessage({ id, request } satisfies Call)
      return call.promise
    },
  }
}
