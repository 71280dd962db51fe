import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { blocksOf } from '../../support/docs/blocks.ts'
import { environmentWith, pack, versionsOf } from './consumer.ts'

const run = promisify(execFile)
export const SECRETS = ['grant_app', 'zuora_client_id', 'zuora_client_secret', 'admin_key'] as const

/** A program and its arguments. */
export type Words = readonly string[]

/** What docs/deploy/Dockerfile says, an instruction to a line. */
export function instructionsIn(file: string): string[] {
  const text = readFileSync(file, 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
  return text.split('\n').filter((line) => line.trim() !== '')
}

/** The last instruction of that name. */
export function instruction(file: string, name: string): string {
  const found = instructionsIn(file).findLast((line) => line.startsWith(`${name} `))
  if (found === undefined) throw new Error(`${file} has no ${name}.`)
  return found.slice(name.length + 1)
}

/** The files of the page's last project, from the page itself, and of the installed package, made as its image is. */
export async function openProject(folder: string): Promise<void> {
  const blocks = blocksOf('docs/deploying-the-relay.md', readFileSync('docs/deploying-the-relay.md', 'utf8'))
  for (const name of ['meters.ts', 'relay.config.ts']) {
    writeFileSync(join(folder, name), blocks.findLast(({ title }) => title === name)?.code ?? '')
  }
  const dependencies = { metertap: `file:${await pack(folder)}`, ...(await versionsOf(['zod'])) }
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'usage-relay', version: '1.0.0', private: true, type: 'module', dependencies }),
  )
  const options = { cwd: folder, env: environmentWith({ npm_config_prefer_offline: 'true' }) }
  await run('npm', ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund'], options)
  for (const line of instructionsIn('docs/deploy/Dockerfile').filter((each) => each.startsWith('RUN npm '))) {
    const [program = '', ...args] = line.slice('RUN '.length).split(' ')
    await run(program, args, options)
  }
  mkdirSync(join(folder, 'secrets'))
  for (const name of SECRETS) writeFileSync(join(folder, 'secrets', name), `${name.repeat(8)}\n`)
}

/** The page's configuration on another port and disk, and with an upstream that nobody listens at. */
export function moveConfig(folder: string, port: number): void {
  const file = join(folder, 'relay.config.ts')
  const changes: [RegExp, string][] = [
    [/port: \d+/, `port: ${port}`],
    [/'(\/data|[^']*)\/relay\.db'/, `'${join(folder, 'relay.db')}'`],
    [/https:\/\/rest\.zuora\.com/, 'http://127.0.0.1:9'],
    [/\n {2}origins/, '\n  admin: { listen: { port: 0 } },\n  origins'],
  ]
  const text = readFileSync(file, 'utf8')
  for (const [from] of changes) if (!from.test(text)) throw new Error(`The page's configuration has no ${from}.`)
  writeFileSync(
    file,
    changes.reduce((all, [from, to]) => all.replace(from, to), text),
  )
}

export interface Running {
  /** What it has written to standard output and standard error. */
  said(): string
  kill(signal: NodeJS.Signals): void
  /** Its exit code. */
  readonly ended: Promise<number | null>
}

/** Starts a program of the deployment's files, with Node where they say node. */
export function startWords(
  [program = '', ...args]: Words,
  folder: string,
  environment: Record<string, string>,
): Running {
  const isNode = /(^|\/)node$/.test(program)
  const child: ChildProcess = spawn(isNode ? process.execPath : program, args, {
    cwd: folder,
    // Nothing of this machine's environment: what the files name has to be enough.
    env: { PATH: environmentWith().PATH, ...environment },
  })
  let text = ''
  child.stdout?.on('data', (chunk) => (text += chunk))
  child.stderr?.on('data', (chunk) => (text += chunk))
  return {
    said: () => text,
    kill: (signal) => child.kill(signal),
    ended: new Promise((resolve) => child.once('close', resolve)),
  }
}
