import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** A display without a screen, for an engine that knows no headless mode. */
export interface Display {
  /** Such as ":99". */
  readonly name: string
  close(): Promise<void>
}

async function ended(server: ChildProcess): Promise<never> {
  await once(server, 'exit')
  throw new Error('Xvfb ended. Install it (Debian/Ubuntu: apt-get install xvfb).')
}

/** Starts an X server that picks a free number by itself and tells it. */
export async function openDisplay(): Promise<Display> {
  const args = ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp']
  const server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const channel = server.stdio[3] as Readable
  const [told] = await Promise.race([once(channel, 'data'), ended(server)])
  channel.destroy()
  return {
    name: `:${String(told).trim()}`,
    async close() {
      const closed = once(server, 'exit')
      server.kill('SIGTERM')
      await closed
    },
  }
}
