import type { NodeRuntime } from '../runtime/node.ts'
import { type EndSignal, joinProcess } from '../runtime/node-process.ts'
import type { Agent } from './agent.ts'

export interface ProcessEndOptions {
  /** Signals on which what waits is sent before the process ends. */
  readonly signals: readonly EndSignal[]
  /** How long the end may be put off for sending, ms. */
  readonly exitFlushMs: number
}

/** Sees to an agent's events when its process ends; gives back what stops that. */
export function attendProcess(agent: Agent, runtime: NodeRuntime, options: ProcessEndOptions): () => void {
  const { signals, exitFlushMs } = options
  /** What had been recorded when the last try of an idle process began: it is not tried again without news. */
  let tried = -1

  async function flush(): Promise<void> {
    runtime.tell('ending')
    await runtime.waitFor(agent.flush(), exitFlushMs)
    runtime.cutShort()
  }

  return joinProcess(
    {
      onExit: () => runtime.tell('ending'),
      onIdle() {
        const { recorded, waiting, storing, openWindows } = agent.stats()
        if (waiting + storing + openWindows === 0 || recorded === tried) return
        tried = recorded
        void flush()
      },
      onSignal: flush,
    },
    signals,
  )
}
