import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { NodeAgentOptions } from '../../../src/node.ts'

export interface RecorderEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** An agent in a process of its own, see recorder.ts. */
export interface RecorderProcess {
  readonly pid: number
  /** Lines that were written whole, without their end mark. */
  readonly lines: readonly string[]
  /** Ids whose receipts became durable before it died. */
  readonly durable: readonly string[]
  readonly ended: Promise<RecorderEnd>
  tell(command: string): void
  /** Resolves with the first line from now on, or before, that begins so. */
  says(start: string): Promise<string>
  kill(signal?: NodeJS.Signals): Promise<RecorderEnd>
}

const SCRIPT = fileURLToPath(new URL('./recorder.ts', import.meta.url))

/** Starts one; it is killed at the latest when the test is over. */
export function startRecorder(
  folder: string,
  relayUrl: string,
  options: Partial<NodeAgentOptions> = {},
): RecorderProcess {
  const child: ChildProcess = spawn(process.execPath, [SCRIPT, folder, relayUrl, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const waiting: { start: string; resolve: (line: string) => void }[] = []
  const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  reader.on('line', (line) => {
    if (!line.endsWith(' ok')) return
    const said = line.slice(0, -3)
    lines.push(said)
    for (const each of waiting) if (said.startsWith(each.start)) each.resolve(said)
  })
  const ended = new Promise<RecorderEnd>((resolve) => child.on('close', (code, signal) => resolve({ code, signal })))
  child.stdin?.on('error', () => undefined)
  const end = (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal)
    return ended
  }
  onTestFinished(async () => void (await end()))
  return {
    pid: child.pid as number,
    lines,
    get durable() {
      return lines.filter((line) => line.startsWith('durable ')).map((line) => line.split(' ')[1] as string)
    },
    ended,
    tell: (command) => void child.stdin?.write(`${command}\n`),
    says: (start) => {
      const said = lines.find((line) => line.startsWith(start))
      if (said !== undefined) return Promise.resolve(said)
      return new Promise((resolve, reject) => {
        waiting.push({ start, resolve })
        ended.then((how) =>
          reject(new Error(`It ended (${JSON.stringify(how)}) without saying "${start}": ${lines.join('; ')}`)),
        )
      })
    },
    kill: end,
  }
}
