import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { environmentWith } from './consumer.ts'

/** A command that stays. */
export interface Terminal {
  readonly title: string
  /** All that it has printed so far. */
  printed(): string
  /** Types the command again, after close(). */
  again(): void
  close(): Promise<void>
}

export function openTerminal(title: string, code: string, cwd: string): Terminal {
  let text = ''
  const note = (chunk: Buffer) => {
    text += chunk
  }
  const start = () => {
    // A process group of its own: npx and what it starts end together.
    const child = spawn('bash', ['-ec', code], {
      cwd,
      env: environmentWith({ WRANGLER_SEND_METRICS: 'false' }),
      detached: true,
      stdio: 'pipe',
    })
    child.stdout.on('data', note)
    child.stderr.on('data', note)
    return { child, ended: once(child, 'close') }
  }
  let running = start()
  return {
    title,
    printed: () => text,
    again() {
      running = start()
    },
    async close() {
      const { child, ended } = running
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGTERM')
      await ended
    },
  }
}
