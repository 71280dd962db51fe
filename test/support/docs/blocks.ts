import { readdirSync, readFileSync } from 'node:fs'

/**
 * A fenced code block of a page. What a reader need not see stands in comments right before it:
 *
 *     <!-- given: declare const secret: string -->   code that is put before it
 *     <!-- inside: const config = { … } -->          code around it: it stands where the … is
 *     <!-- unchecked: needs a Kubernetes cluster -->  why nothing can check it
 *
 * Its file is named by `title="meters.ts"` behind the language, or by a first line such as `// meters.ts`; other blocks of
 * the page import it by that name.
 */
export interface Block {
  /** Such as `docs/scale.md`. */
  readonly page: string
  /** The line of the opening fence, from 1. */
  readonly line: number
  /** Empty: the fence names none. */
  readonly language: string
  readonly title: string | undefined
  readonly code: string
  readonly given: string
  readonly inside: string | undefined
  readonly unchecked: string | undefined
}

/** The pages that are held to: README.md and docs/*.md. */
export function codePages(): string[] {
  const docs = readdirSync('docs').filter((name) => name.endsWith('.md'))
  return ['README.md', ...docs.toSorted().map((name) => `docs/${name}`)]
}

export function readBlocks(page: string): Block[] {
  return blocksOf(page, readFileSync(page, 'utf8'))
}

const OPENING = /^( *)(`{3,}|~{3,})\s*([^\s`]*)(.*)$/

/** Pure. An unclosed fence ends with the page, as it does for a reader. */
export function blocksOf(page: string, text: string): Block[] {
  const lines = text.split('\n')
  const blocks: Block[] = []
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', fence = '', language = '', rest = ''] = OPENING.exec(lines[at] ?? '') ?? []
    if (fence === '') continue
    const found = lines.findIndex((line, index) => index > at && line.trim() === fence)
    const end = found < 0 ? lines.length : found
    const code = lines.slice(at + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    const title = /title="([^"]+)"/.exec(rest)?.[1] ?? titleIn(code[0] ?? '')
    const notes = notesBefore(lines.slice(0, at).join('\n'))
    blocks.push({ page, line: at + 1, language, title, code: code.join('\n'), ...notes })
    at = end
  }
  return blocks
}

function titleIn(firstLine: string): string | undefined {
  return /^(?:\/\/|#) ([\w./-]+\.(?:[cm]?[jt]sx?|json|ya?ml|toml|conf|sh|py))(?=$|[\s:,])/.exec(firstLine)?.[1]
}

/** The comments that stand directly before a block. */
function notesBefore(text: string): Pick<Block, 'given' | 'inside' | 'unchecked'> {
  const run = /(?:<!--(?:(?!-->)[\s\S])*-->\s*)+$/.exec(text)?.[0] ?? ''
  const notes = [...run.matchAll(/<!--\s*(given|inside|unchecked):\s*([\s\S]*?)\s*-->/g)]
  const of = (kind: string): string[] => notes.filter(([, name]) => name === kind).map(([, , note = '']) => note)
  return { given: of('given').join('\n'), inside: of('inside')[0], unchecked: of('unchecked')[0] }
}
