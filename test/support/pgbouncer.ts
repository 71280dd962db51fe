import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readBlocks } from './docs/blocks.ts'
import { install, mayInstall } from './engines.ts'

/** PgBouncer before a PostgreSQL, in the mode that the page on deploying says. */
export interface PgBouncer {
  /** postgres://user:password@host:port/database, through it. */
  readonly url: string
  close(): Promise<void>
}

const PATHS = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer']

/** PgBouncer's program, installed first where this process may; undefined when there is none. */
export function findPgBouncer(): string | undefined {
  if (!PATHS.some(existsSync) && mayInstall()) install(['pgbouncer'])
  return PATHS.find(existsSync)
}

/** The page's file with another database, port and account. */
function configure(postgres: URL, port: number, folder: string): string {
  const page = readBlocks('docs/deploying-the-relay.md').find(({ code }) => code.includes('[pgbouncer]'))?.code ?? ''
  const { hostname, port: serverPort, username, password, pathname } = postgres
  const place = `usage = host=${hostname} port=${serverPort} dbname=${pathname.slice(1)} user=${username} password=${password}`
  const own = {
    ...{ listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'any' },
    ...{ pidfile: join(folder, 'pid'), logfile: join(folder, 'log') },
  }
  const lines = Object.entries(own).map(([name, value]) => `${name} = ${value}`)
  // Fewer sessions than the relays' connections: they change hands.
  const few = page.replace(/^default_pool_size = \d+$/m, 'default_pool_size = 3')
  return `${few.replace(/^usage = .*$/m, place)}\n${lines.join('\n')}\n`
}

export async function startPgBouncer(program: string, postgres: string): Promise<PgBouncer> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-pgbouncer-'))
  // It refuses to be root, and becomes another user.
  chmodSync(folder, 0o777)
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, configure(new URL(postgres), port, folder), { mode: 0o644 })
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(program, [...user, file], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  while (!(await answers(port))) {
    if (child.exitCode !== null) {
      const log = existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : ''
      throw new Error(`PgBouncer ended: ${log}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    url: `postgres://${new URL(postgres).username}:any@127.0.0.1:${port}/usage`,
    async close() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
