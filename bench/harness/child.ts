import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** A program of the bench in a process of its own, so that its time and memory are its own. */
export interface Child<Answer> {
  readonly pid: number
  /** Sends a message and waits for the one that answers it; without one, for the next that comes. */
  ask(message?: unknown): Promise<Answer>
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>
}

function nextMessage<Answer>(child: ChildProcess, script: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      child.off('exit', onExit)
      resolve(message as Answer)
    }
    const onExit = (code: number | null): void => {
      child.off('message', onMessage)
      reject(new Error(`${script} ended with ${code}.`))
    }
    child.once('message', onMessage)
    child.once('exit', onExit)
  })
}

export function startChild<Answer>(script: string, parameters: readonly string[] = []): Child<Answer> {
  const child = fork(script, [...parameters], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    pid: child.pid ?? 0,
    ask(message) {
      const answer = nextMessage<Answer>(child, script)
      if (message !== undefined) child.send(message as object)
      return answer
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Memory of a process as Linux tells it, bytes; undefined elsewhere. */
export function memoryOf(pid: number): { readonly nowBytes: number; readonly peakBytes: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1_024
    return { nowBytes: of('VmRSS'), peakBytes: of('VmHWM') }
  } catch {
    return undefined
  }
}
