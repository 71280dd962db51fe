import { execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A folder in which somebody has installed the package, as packed, and nothing of this project. */
export interface Consumer {
  readonly folder: string
  /** The tarball that was installed. */
  readonly tarball: string
  path(...parts: readonly string[]): string
  /** Runs a program of this machine in the folder; its standard output. Rejects with all that it printed. */
  run(program: string, args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<string>
  /** The same for one that stays; resolves with the first line that it prints. */
  start(
    program: string,
    args: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ): Promise<{ readonly line: string; stop(): Promise<void> }>
  close(): Promise<void>
}

const PROJECT = resolve(fileURLToPath(new URL('../../..', import.meta.url)))
const FILES = join(PROJECT, 'test/package/consumer')
const MAX_OUTPUT_BYTES = 2 ** 26
/** What an application has besides: its own schemas, its own React, and types of what it runs on. */
const BESIDES = ['zod', 'react', 'react-dom', '@types/react', '@types/react-dom', '@cloudflare/workers-types']

/** The Node that runs the tests first: a bare machine's own may be older than the package allows. */
export function environmentWith(
  given: Readonly<Record<string, string>> = {},
  node: string = process.execPath,
): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}`, ...given }
}

export async function versionsOf(names: readonly string[]): Promise<Record<string, string>> {
  const manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >
  const all = { ...manifest.devDependencies, ...manifest.dependencies }
  return Object.fromEntries(names.map((name) => [name, all[name] ?? '*']))
}

/** Packs what was built; the path of the tarball. */
export async function pack(to: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', to], {
    ...{ cwd: PROJECT, env: environmentWith(), maxBuffer: MAX_OUTPUT_BYTES },
  })
  const [packed] = Object.values(JSON.parse(stdout) as Record<string, { filename: string }>)
  return join(to, packed?.filename ?? '')
}

/**
 * Packs what was built, and installs it into a fresh folder with the files of test/package/consumer. `node`: the one that
 * its programs find first.
 */
export async function openConsumer(node: string = process.execPath): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), 'metertap-consumer-'))
  const tarball = await pack(folder)
  await cp(FILES, folder, { recursive: true })
  const dependencies = { metertap: `file:${tarball}`, ...(await versionsOf(BESIDES)) }
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module', dependencies }))

  const consumer: Consumer = {
    folder,
    tarball,
    path: (...parts) => join(folder, ...parts),
    async run(program, args, environment) {
      const options = { cwd: folder, env: environmentWith(environment, node), maxBuffer: MAX_OUTPUT_BYTES }
      try {
        return (await run(program, args, options)).stdout
      } catch (error) {
        const { stdout, stderr } = error as { stdout?: string; stderr?: string }
        throw new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error })
      }
    },
    start: (program, args, environment) =>
      start(program, args, { cwd: folder, env: environmentWith(environment, node) }),
    close: () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }),
  }
  await consumer.run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'])
  return consumer
}

/** A tool of this project, such as vite, run on the consumer's files. */
export function tool(name: string): string {
  return join(PROJECT, 'node_modules/.bin', name)
}

async function start(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<{ readonly line: string; stop(): Promise<void> }> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const { promise, resolve: found, reject } = Promise.withResolvers<string>()
  let text = ''
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk
  })
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
    if (text.includes('\n')) found(text.slice(0, text.indexOf('\n')))
  })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  child.once('exit', (code) => reject(new Error(`${program} ended with ${code}.\n${text}${complaints}`)))
  child.once('error', reject)
  return {
    line: await promise,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
