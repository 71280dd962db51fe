import type { Agent } from '../agent/agent.ts'

/** Makes the agent when it is first needed, and closes it when nobody needs it any more. Nothing happens before. */
export interface Holder {
  /** An agent whose every call goes to the one that is held. */
  readonly usage: Agent
  /** The provider is there; the result says that it is gone. */
  mount(): () => void
}

/** All of them, or this does not compile. */
const METHODS: Readonly<Record<keyof Agent, true>> = {
  ...{ record: true, flush: true, pause: true, resume: true, purge: true, stats: true, streams: true, on: true },
  ...{ deadLetters: true, retryDeadLetters: true, deleteDeadLetters: true, exportDeadLetters: true },
  ...{ close: true, [Symbol.asyncDispose]: true },
}

/** @param create Called in the browser alone, since nothing is recorded while rendering. */
export function createHolder(create: () => Agent): Holder {
  let held: Agent | undefined
  let mounts = 0
  let isOver = false
  const names = Reflect.ownKeys(METHODS) as (keyof Agent)[]

  const get = (): Agent => {
    held ??= create()
    return held
  }

  // StrictMode takes effects back and does them again in one step: that is no end.
  const closeIfUnused = () => {
    if (mounts > 0 || isOver) return
    isOver = true
    void held?.close()
  }

  const call =
    (name: keyof Agent) =>
    (...args: unknown[]) => {
      const agent = get()
      return (agent[name] as (...args: unknown[]) => unknown).apply(agent, args)
    }

  return {
    usage: Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as Agent,
    mount() {
      if (isOver) held = undefined
      isOver = false
      mounts++
      // At once: earlier visits may have left something to send.
      get()
      return () => {
        mounts--
        queueMicrotask(closeIfUnused)
      }
    },
  }
}
