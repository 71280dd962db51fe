import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** One process after the other from the same script. */
export interface Mortal {
  readonly isAlive: boolean
  /** Starts it with these arguments and resolves with the first line that it prints, as JSON. Rejects when it ends before. */
  start(args: readonly string[]): Promise<unknown>
  /** Lines that it prints after the first. */
  onLine(listener: (line: string) => void): void
  say(line: string): void
  /** Sends the signal and waits for the end; its exit code. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
}

export function mortal(script: string): Mortal {
  let child: ChildProcess | undefined
  let listen: (line: string) => void = () => {}
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null

  /** Resolves with the first line and goes on reading. */
  function firstLine(of: ChildProcess): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let text = ''
    let isFirst = true
    of.stdout?.on('data', (chunk: Buffer) => {
      text += chunk
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        if (isFirst) resolve(line)
        else listen(line)
        isFirst = false
      }
    })
    of.once('exit', (code, signal) => reject(new Error(`${script} ended before it was ready: ${signal ?? code}.`)))
    return promise
  }

  return {
    get isAlive() {
      return isAlive()
    },
    async start(args) {
      child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
      // Whoever writes to a process that was just killed learns of it by its exit.
      child.stdin?.on('error', () => {})
      return JSON.parse(await firstLine(child)) as unknown
    },
    onLine(listener) {
      listen = listener
    },
    say(line) {
      if (isAlive()) child?.stdin?.write(`${line}\n`)
    },
    async end(signal) {
      const dying = child
      if (!dying || !isAlive()) return null
      const exit = once(dying, 'exit')
      dying.kill(signal)
      const [code] = (await exit) as [number | null]
      return code
    },
  }
}
