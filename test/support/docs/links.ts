import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A link of a page: where it stands and where it leads. */
export interface Link {
  readonly line: number
  readonly target: string
}

const LINK =
  /(?<!!)\[(?:[^\][]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\[[^\]]+\]:\s*(\S+)|<(https?:[^>\s]+)>|!\[[^\]]*\]\(([^)\s]+)\)/gm

/** Text without its code, line by line as it was. */
function proseOf(text: string): string {
  const blank = (code: string): string => code.replace(/[^\n]/g, ' ')
  return text.replace(/^( *)(`{3,}|~{3,})[\s\S]*?^\1\2\s*$/gm, blank).replace(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, blank)
}

export function linksOf(text: string): Link[] {
  const prose = proseOf(text)
  return [...prose.matchAll(LINK)].map((match) => ({
    line: prose.slice(0, match.index).split('\n').length,
    target: match.slice(1).find((part) => part !== undefined) ?? '',
  }))
}

/** The anchors that a page has: its headings', as GitHub makes them, and those it names itself. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = '']) => name))
  const counts = new Map<string, number>()
  const prose = text.replace(/^( *)(`{3,}|~{3,})[\s\S]*?^\1\2\s*$/gm, '')
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} +(.+?) *#* *$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-')
    const nth = counts.get(slug) ?? 0
    counts.set(slug, nth + 1)
    anchors.add(nth === 0 ? slug : `${slug}-${nth}`)
  }
  return anchors
}

/** Undefined: the link leads somewhere. Addresses of the web are looked at, not fetched. */
export function linkProblem(page: string, { line, target }: Link): string | undefined {
  const says = (problem: string): string => `${page}:${line}: ${target} ${problem}`
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) {
    return URL.canParse(target) && target.startsWith('https://') ? undefined : says('is no https address')
  }
  const [path = '', anchor] = decodeURI(target).split('#')
  const file = path === '' ? page : join(dirname(page), path)
  if (!existsSync(file)) return says('leads to no file')
  if (anchor === undefined) return undefined
  if (statSync(file).isDirectory() || !file.endsWith('.md')) return says('has an anchor, but leads to no page')
  return anchorsOf(readFileSync(file, 'utf8')).has(anchor) ? undefined : says('leads to no heading')
}
