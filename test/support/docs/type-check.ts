import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { Block } from './blocks.ts'

export const isTyped = ({ language }: Block): boolean => language === 'ts' || language === 'tsx'

/** A block as a module: its file, and the lines that stand before the reader's first. */
interface Module {
  readonly block: Block
  readonly file: string
  readonly text: string
  readonly linesBefore: number
}

const GIVEN = resolve('test/support/docs/given')

/** What a page's snippets presume: the exports of given/<page>.ts, where there is one. */
function givenFileOf(page: string): string | undefined {
  const file = join(GIVEN, `${basename(page, '.md')}.ts`)
  return existsSync(file) ? file : undefined
}

/** Imports from the page's given names those that a block uses and does not declare. */
function importsFor(page: string, code: string): string[] {
  const file = givenFileOf(page)
  if (file === undefined) return []
  const names = [...readFileSync(file, 'utf8').matchAll(/^export (?:declare )?(const|type|interface|function) (\w+)/gm)]
  return names.flatMap(([, kind, name = '']) => {
    if (!new RegExp(`\\b${name}\\b`).test(code) || declares(code, name)) return []
    const isType = kind === 'type' || kind === 'interface'
    return [`import { ${isType ? 'type ' : ''}${name} } from '${file}'`]
  })
}

function declares(code: string, name: string): boolean {
  const declared = `\\b(?:const|let|using|function|class|type|interface) ${name}\\b`
  const destructured = `\\b(?:const|let) [{[][^=]*\\b${name}\\b[^=]*=`
  const imported = `\\bimport (?:type )?[{*][^}'"]*\\b${name}\\b[^'"]* from`
  return new RegExp(`${declared}|${destructured}|${imported}`).test(code)
}

/** Pure, but for the page's given names. */
function toModule(block: Block, folder: string, taken: Set<string>): Module {
  const [before = '', after = ''] = block.inside?.split('…') ?? []
  const written = `${block.given}\n${before}\n${block.code}`
  const head = [...importsFor(block.page, written), block.given, before].filter((part) => part !== '').join('\n')
  const ending = block.language
  const name = /\.tsx?$/.test(block.title ?? '') ? block.title : `block-${block.line}.${ending}`
  let file = join(folder, basename(block.page, '.md'), name ?? '')
  // A page may show a file twice, as it grows: the later one stands beside the first.
  if (taken.has(file)) file = file.replace(/\.tsx?$/, `.line-${block.line}.${ending}`)
  taken.add(file)
  const linesBefore = head === '' ? 0 : head.split('\n').length
  return { block, file, text: `${head === '' ? '' : `${head}\n`}${block.code}\n${after}\n`, linesBefore }
}

const PROJECT = resolve('.')
const COMPILER = join(PROJECT, 'node_modules/typescript7/bin/tsc')

function settingsFor(files: readonly string[]): object {
  return {
    compilerOptions: {
      ...{ target: 'ES2024', module: 'nodenext', moduleDetection: 'force', jsx: 'react-jsx' },
      lib: ['ES2024', 'ESNext.Disposable', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'],
      ...{ types: ['node'], typeRoots: [join(PROJECT, 'node_modules/@types')], strict: true },
      ...{ noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: true, noEmit: true },
      ...{ allowImportingTsExtensions: true, erasableSyntaxOnly: true },
      paths: { metertap: [join(PROJECT, 'src/index.ts')], 'metertap/*': [join(PROJECT, 'src/*.ts')] },
    },
    files: [...files, join(PROJECT, 'src/runtime/cloudflare.d.ts'), join(GIVEN, 'modules.d.ts')],
  }
}

/** Type-checks all blocks as one program, against the project's own sources; each block's errors, by its own lines. */
export async function typeCheck(blocks: readonly Block[]): Promise<ReadonlyMap<Block, readonly string[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-docs-'))
  try {
    const taken = new Set<string>()
    const modules = blocks.map((block) => toModule(block, folder, taken))
    for (const { file, text } of modules) {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    const meters = `export * from '${join(GIVEN, 'meters.ts')}'\n`
    // Pages that speak of a product's meters without showing them mean these.
    for (const page of new Set(blocks.map((block) => join(folder, basename(block.page, '.md'))))) {
      if (!taken.has(join(page, 'meters.ts'))) writeFileSync(join(page, 'meters.ts'), meters)
    }
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settingsFor(modules.map(({ file }) => file))))
    return errorsByBlock(await compile(folder), modules, folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function compile(folder: string): Promise<string> {
  const args = [COMPILER, '-p', folder, '--pretty', 'false']
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 26 }, (_, out, err) => done(`${out}${err}`))
  })
}

const DIAGNOSTIC = /^(.+?)\((\d+),\d+\): (error .+(?:\n +.+)*)/gm

function errorsByBlock(output: string, modules: readonly Module[], folder: string): Map<Block, string[]> {
  const errors = new Map<Block, string[]>(modules.map(({ block }) => [block, []]))
  const other: string[] = []
  for (const [whole, path = '', line, message] of output.matchAll(DIAGNOSTIC)) {
    const module = modules.find(({ file }) => relative(folder, file) === relative(folder, resolve(folder, path)))
    if (module === undefined) other.push(whole)
    else {
      const { page, line: first } = module.block
      errors.get(module.block)?.push(`${page}:${first + Number(line) - module.linesBefore}: ${message}`)
    }
  }
  // What is wrong elsewhere, or with the compiler itself, is an error of every block.
  if (other.length > 0 || (/error TS/.test(output) && [...errors.values()].every((list) => list.length === 0))) {
    for (const list of errors.values()) list.push(...(other.length > 0 ? other : [output]))
  }
  return errors
}
