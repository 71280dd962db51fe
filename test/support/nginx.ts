import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { install, mayInstall } from './engines.ts'

/** docs/deploy/nginx.conf at work before a relay. */
export interface Nginx {
  readonly url: string
  /** Everything that it has logged. */
  logged(): string
  close(): Promise<void>
}

const SYSTEM_PATHS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/bin']

/** nginx's program, installed first where this process may; undefined when there is none. */
export function findNginx(): string | undefined {
  const find = () => SYSTEM_PATHS.map((folder) => join(folder, 'nginx')).find(existsSync)
  if (!find() && mayInstall()) install(['nginx'])
  return find()
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The page's file with other ports and folders, and without TLS: nothing else is changed. */
function configure(folder: string, port: number, relays: readonly string[]): string {
  const page = readFileSync('docs/deploy/nginx.conf', 'utf8')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  )
  const changes: [RegExp, string][] = [
    [/^user www-data;$/m, process.getuid?.() === 0 ? '$&' : ''],
    [/\/run\/nginx\.pid/, join(folder, 'nginx.pid')],
    [/\/var\/log\/nginx/g, folder],
    [/^http \{$/m, `http {\n${temporary.join('\n')}`],
    [/^ +server 127\.0\.0\.1:8787;$/m, relays.map((relay) => `server ${relay};`).join('\n')],
    [/listen 443 ssl http2;/, `listen 127.0.0.1:${port};`],
    [/^ +ssl_.*$/gm, ''],
  ]
  for (const [from] of changes) if (page.search(from) < 0) throw new Error(`nginx.conf has no ${from} any more.`)
  return changes.reduce((text, [from, to]) => text.replace(from, to), page)
}

/** Starts nginx before relays, each given as host:port. */
export async function startNginx(program: string, relays: readonly string[]): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-nginx-'))
  // Its workers are another user when it is started by root.
  chmodSync(folder, 0o755)
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, configure(folder, port, relays))
  const args = ['-e', join(folder, 'error.log'), '-p', folder, '-c', file]
  const tested = spawnSync(program, ['-t', ...args], { encoding: 'utf8' })
  if (tested.status !== 0) throw new Error(tested.stderr)
  const child = spawn(program, [...args, '-g', 'daemon off;'], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const read = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '')
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${read('error.log')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    url: `http://127.0.0.1:${port}`,
    logged: () => read('usage.log') + read('error.log'),
    async close() {
      child.kill('SIGQUIT')
      await ended
      rmSync(folder, { recursive: true })
    },
  }
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
