import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import { parseCommand } from '../../../src/relay/cli/args.ts'
import { HELP } from '../../../src/relay/cli/help.ts'
import type { Block } from './blocks.ts'

/** Programs of the reader's machine whose options are not this project's to check. */
const OTHERS = new Set(
  `cat cd chmod chown cp createdb crontab curl date docker echo export git install journalctl kill ls mkdir mv nginx
  openssl pg_basebackup pg_dump pg_restore pgbench psql rm sed sudo systemctl tar test touch useradd xvfb-run`.split(
    /\s+/,
  ),
)
/** Run by npx. */
const OTHER_TOOLS = new Set(['electron', 'esbuild', 'playwright', 'tsc', 'vite', 'wrangler'])

/** What the page itself says: the files that it shows, and the scripts of the package.json among them. */
export interface ShellPage {
  readonly files: ReadonlySet<string>
  readonly scripts: ReadonlySet<string>
}

export function shellPage(blocks: readonly Block[]): ShellPage {
  const manifest = blocks.find(({ title }) => title === 'package.json')
  const scripts = manifest ? Object.keys(JSON.parse(manifest.code).scripts ?? {}) : []
  return { files: new Set(blocks.flatMap(({ title }) => title ?? [])), scripts: new Set(scripts) }
}

/** Problems of a shell block: its syntax, and every command in it that is this project's. */
export function checkShell(code: string, page: ShellPage): string[] {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: code, encoding: 'utf8' })
  if (status !== 0) return [stderr.trim()]
  return commandsOf(code).flatMap((words) => commandProblem(words, page) ?? [])
}

/** Commands as words, without comments, here-documents, variables set before them and redirections. */
export function commandsOf(code: string): string[][] {
  const bare = code.replace(/<<-?\s*['"]?(\w+)['"]?([^\n]*)\n[\s\S]*?\n\s*\1(?=\n|$)/g, '$2').replace(/\\\n/g, ' ')
  const commands: string[][] = [[]]
  for (const [word, , operator] of bare.matchAll(TOKENS)) {
    if (word.startsWith('#') || word === ' ') continue
    if (operator !== undefined) commands.push([])
    else commands.at(-1)?.push(word.replace(/^(['"])(.*)\1$/s, '$2'))
  }
  return commands.map(withoutExtras).filter((words) => words.length > 0)
}

const TOKENS = /((?<=^|\s)#[^\n]*)|(\n|&&|\|\||[;|&()](?!\S*=))|(?:"[^"]*"|'[^']*'|\$\([^)]*\)|[^\s;|&()"'])+/g

function withoutExtras(words: readonly string[]): string[] {
  const start = words.findIndex((word) => !/^\w+=/.test(word))
  const command = start < 0 ? [] : words.slice(start)
  const end = command.findIndex((word) => /^\d?[<>]/.test(word))
  const kept = end < 0 ? command : command.slice(0, end)
  return kept[0] === 'sudo' || kept[0] === 'exec' || kept[0] === 'time' ? kept.slice(1) : kept
}

/** Undefined: the command is one that there is. */
export function commandProblem([program = '', ...args]: readonly string[], page: ShellPage): string | undefined {
  const said = [program, ...args].join(' ')
  if (program === 'metertap') return metertapProblem(args)
  if (program === 'npm') return npmProblem(args, page)
  if (program === 'node') return fileProblem(args, page)
  if (program !== 'npx') return OTHERS.has(program) ? undefined : `unknown program in “${said}”`
  const [tool = '', ...rest] = args.filter((arg, index) => index > 0 || !/^(-y|--yes)$/.test(arg))
  if (tool === 'metertap') return metertapProblem(rest)
  if (tool === 'vitest') return vitestProblem(rest)
  return OTHER_TOOLS.has(tool) ? undefined : `unknown tool in “${said}”`
}

function metertapProblem(args: readonly string[]): string | undefined {
  const command = parseCommand(args)
  const isMissingMore = command.kind === 'misuse' && args.length > 0 && !args.some((arg) => /^-/.test(arg))
  // A command may be spoken of without what it needs.
  if (isMissingMore && HELP.includes(`\n  metertap ${args.join(' ')} `)) return undefined
  return command.kind === 'misuse' ? `metertap ${args.join(' ')}: ${command.problem}` : undefined
}

const SCRIPTS: Readonly<Record<string, string>> = packageJson.scripts

function npmProblem([verb = '', ...args]: readonly string[], page: ShellPage): string | undefined {
  if (['ci', 'install', 'init', 'create', 'pack', 'view', 'pkg', 'audit'].includes(verb)) return undefined
  const [name = '', ...rest] = verb === 'run' ? args.filter((arg) => arg !== '--silent') : [verb, ...args]
  if (page.scripts.has(name)) return undefined
  if (SCRIPTS[name] === undefined) return `there is no npm script “${name}”`
  const unknown = rest.filter((arg) => /^--[a-z]/.test(arg)).find((arg) => !knowsFlag(name, arg))
  return unknown === undefined ? undefined : `npm run ${name} knows no ${unknown}`
}

/** Whether the sources of an npm script name an option, which is how parseArgs learns of it. */
function knowsFlag(script: string, flag: string): boolean {
  const main = /node ([\w/]+\/main\.ts)/.exec(SCRIPTS[script] ?? '')?.[1]
  if (main === undefined) return true
  const [name = ''] = flag.slice(2).split('=')
  const camel = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const word = new RegExp(`\\b(${name}|${camel})['"]?:|['"]${name}['"]|--${name}\\b`)
  return globSync(`${dirname(main)}/**/*.ts`).some((file) => word.test(readFileSync(file, 'utf8')))
}

function vitestProblem(args: readonly string[]): string | undefined {
  const config = readFileSync('vitest.config.ts', 'utf8')
  const project = args.includes('--project') ? args[args.indexOf('--project') + 1] : undefined
  if (project !== undefined && !new RegExp(`name: '${project}'|'${project}'`).test(config))
    return `no project ${project}`
  const file = args.find((arg) => arg.startsWith('test/') && !existsSync(arg))
  return file === undefined ? undefined : `there is no file ${file}`
}

function fileProblem(args: readonly string[], page: ShellPage): string | undefined {
  const file = args.find((arg) => !arg.startsWith('-'))
  if (file === undefined || /^-(e|p|-eval|-print)$/.test(args[0] ?? '')) return undefined
  return existsSync(file) || page.files.has(file) ? undefined : `there is no file ${file}`
}
