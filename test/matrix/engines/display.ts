import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** A display without a screen, for an engine that knows no headless mode. */
export interface Display {
  /** Such as ":99". */
  readonly name: string
  close(): Promise<void>
}

/** The whole line: a server that cannot finish writing it dies of that. */
async function displayName(channel: Readable): Promise<string> {
  let told = ''
  for await (const text of channel.setEncoding('utf8')) {
    told += text
    if (told.endsWith('\n')) break
  }
  return `:${told.trim()}`
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
  const name = await Promise.race([displayName(channel), ended(server)])
  return {
    name,
    async close() {
      const closed = once(server, 'exit')
      server.kill('SIGTERM')
      await closed
    },
  }
}
