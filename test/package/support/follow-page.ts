import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { vi } from 'vitest'
import { type Block, readBlocks } from '../../support/docs/blocks.ts'
import { environmentWith, pack } from './consumer.ts'
import { allListen, freePorts, type Ports } from './ports.ts'
import { openTerminal, type Terminal } from './terminal.ts'

const run = promisify(execFile)
const WAIT = { timeout: 60_000, interval: 200 }

/** A page that was done as it says, with its terminals open. */
export interface Followed {
  readonly ports: Ports
  /** Where its last command ended. */
  readonly folder: string
  readonly terminals: readonly Terminal[]
  /** What its last command printed. */
  readonly said: string
  /** All that its terminals have printed. */
  printed(): string
  close(): Promise<void>
}

interface Walk {
  readonly page: string
  readonly ports: Ports
  readonly tarball: string
  readonly terminals: Terminal[]
  folder: string
  said: string
}

/**
 * Does what a page says, block by block, in an empty folder: runs its commands, writes its files, and keeps its terminals
 * open. A file that a command has written already must be as the page shows it. Only its ports are others here, the package
 * comes from this project, and the tools beside it are of this project's versions.
 */
export async function followPage(page: string, itsPorts: readonly string[]): Promise<Followed> {
  await using opened = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'metertap-page-'))
  opened.defer(() => rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }))
  const ports = await freePorts(itsPorts)
  const walk: Walk = { page, ports, tarball: await pack(root), terminals: [], folder: root, said: '' }
  opened.defer(async () => void (await Promise.all(walk.terminals.map((terminal) => terminal.close()))))
  for (const block of readBlocks(page)) await follow(block, walk)
  await untilAllListen(walk)
  const all = opened.move()
  return { ...walk, printed: () => printedBy(walk), close: () => all.disposeAsync() }
}

async function follow(block: Block, walk: Walk): Promise<void> {
  const { language, title } = block
  if (language === 'sh' && title === undefined) await command(block, walk)
  else if (language === 'sh' && title) {
    walk.terminals.push(openTerminal(title, here(block.code, walk), walk.folder))
  } else if (title !== undefined && language !== 'text') writeShown(block, title, walk)
}

/** A text of the page with the ports that are here; one that has them already stays as it is. */
function here(text: string, { ports }: Walk): string {
  return Object.entries(ports).reduce(
    (said, [theirs, ours]) => said.replaceAll(new RegExp(`\\b${theirs}\\b`, 'g'), String(ours)),
    text,
  )
}

async function command(block: Block, walk: Walk): Promise<void> {
  if (walk.terminals.length > 0) await untilAllListen(walk)
  const quiet = { npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' }
  const settings = { cwd: walk.folder, env: environmentWith(quiet), maxBuffer: 2 ** 26 }
  const code = `${here(withOwnPackages(block.code, walk.tarball), walk)}\necho\npwd`
  const { stdout } = await run('bash', ['-ec', code], settings).catch((error) => {
    throw new Error(`${walk.page}:${block.line}\n${error.stdout}\n${error.stderr}`, { cause: error })
  })
  const lines = stdout.trimEnd().split('\n')
  walk.folder = lines.pop() ?? walk.folder
  walk.said = lines.join('\n').trim()
  // What it has written and the page may not show; not later, when terminals read it.
  for (const file of ['.env.relay', 'relay.config.ts'].map((name) => join(walk.folder, name))) {
    if (walk.terminals.length > 0 || !existsSync(file)) continue
    writeFileSync(file, here(readFileSync(file, 'utf8'), walk))
  }
}

function withOwnPackages(code: string, tarball: string): string {
  return code.replaceAll(/^npm install .*$/gm, (line) =>
    line.replaceAll(/(?<= )[a-z][\w-]*/g, (name) => {
      if (name === 'metertap') return tarball
      const manifest = `node_modules/${name}/package.json`
      return existsSync(manifest) ? `${name}@${JSON.parse(readFileSync(manifest, 'utf8')).version}` : name
    }),
  )
}

function writeShown({ page, line, code }: Block, title: string, walk: Walk): void {
  const path = join(walk.folder, title)
  const text = here(`${code}\n`, walk)
  // What a command wrote has the page's own ports still.
  const written = existsSync(path) ? here(readFileSync(path, 'utf8'), walk) : text
  if (written !== text) throw new Error(`${page}:${line}: ${title} was written otherwise:\n${written}`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

async function untilAllListen(walk: Walk): Promise<void> {
  const look = async () => {
    if (!(await allListen(walk.ports))) throw new Error(`Not everything listens.\n${printedBy(walk)}`)
  }
  await vi.waitFor(look, WAIT)
}

function printedBy({ terminals }: Walk): string {
  return terminals.map(({ title, printed }) => `${title}\n${printed()}`).join('\n')
}
