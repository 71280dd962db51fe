import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Block, blocksOf, codePages, readBlocks } from '../support/docs/blocks.ts'
import { anchorsOf, linkProblem, linksOf } from '../support/docs/links.ts'
import { PLAIN_CHECKS, UNCHECKED } from '../support/docs/plain.ts'
import { checkShell, commandProblem, commandsOf, type ShellPage, shellPage } from '../support/docs/shell.ts'
import { isTyped, typeCheck } from '../support/docs/type-check.ts'

const pages = codePages().map((page) => ({ page, blocks: readBlocks(page) }))
const all = pages.flatMap(({ page, blocks }) => blocks.map((block) => ({ block, page: shellPage(blocks), name: page })))
const reasonOf = ({ unchecked, language }: Block): string | undefined => unchecked ?? UNCHECKED[language]
const nameOf = ({ page, line, language }: Block): string => `${page}:${line} (${language || 'no language'})`
const NOTHING: ShellPage = { files: new Set(), scripts: new Set() }

let typeErrors: ReadonlyMap<Block, readonly string[]>
beforeAll(async () => {
  typeErrors = await typeCheck(all.map(({ block }) => block).filter((block) => isTyped(block) && !block.unchecked))
}, 120_000)

function problemsOf(block: Block, page: ShellPage): readonly string[] {
  if (isTyped(block)) return typeErrors.get(block) ?? ['was not looked at']
  if (/^(sh|bash)$/.test(block.language)) return checkShell(block.code, page)
  const check = PLAIN_CHECKS[block.language]
  if (check) return check(block.code, page)
  return [block.language === '' ? 'the fence names no language' : `nothing checks “${block.language}”`]
}

describe('code in the pages', () => {
  test('there is some', () => expect(all.length).toBeGreaterThan(20))

  test.each(all.filter(({ block }) => !reasonOf(block)).map((each) => [nameOf(each.block), each] as const))(
    '%s is right',
    (_, { block, page }) => expect(problemsOf(block, page)).toEqual([]),
  )

  test.skip.each(all.flatMap(({ block }) => (reasonOf(block) ? [[nameOf(block), reasonOf(block)]] : [])))(
    '%s is not checked: it %s',
    () => {},
  )
})

describe('commands in the prose', () => {
  test.each(pages)('$page names commands that there are', ({ page, blocks }) => {
    const prose = readFileSync(page, 'utf8').replace(/^( *)(`{3,})[\s\S]*?^\1\2\s*$/gm, '')
    const spans = [...prose.matchAll(/`((?:npx (?:metertap|vitest)|npm run|metertap) [^`]+)`/g)]
    const commands = spans.flatMap(([, span = '']) => commandsOf(span.replace(/\s+/g, ' ')))
    expect(commands.flatMap((words) => commandProblem(words, shellPage(blocks)) ?? [])).toEqual([])
  })
})

describe('links', () => {
  const linked = [...codePages(), 'src/README.md', 'bench/README.md'].filter((page) => existsSync(page))
  test.each(linked)('of %s lead somewhere', (page) => {
    const links = linksOf(readFileSync(page, 'utf8'))
    expect(links.flatMap((link) => linkProblem(page, link) ?? [])).toEqual([])
  })
})

describe('what looks at the pages', () => {
  test('finds type errors at their line', async () => {
    const text = '# p\n\n<!-- given: declare const n: number -->\n```ts\nconst a = 1\nconst s: string = n\n```\n'
    const blocks = blocksOf('p.md', text)
    expect([...(await typeCheck(blocks)).values()]).toEqual([[expect.stringMatching(/^p\.md:6: error TS2322/)]])
  })

  test('reads titles, comments before a block, and its language', () => {
    const [first, second] = blocksOf(
      'p.md',
      '```ts title="a/b.ts"\n1\n```\n<!-- inside: ({ … }) -->\n\n```ts\n// c.ts: more\n```',
    )
    expect(first).toMatchObject({ line: 1, language: 'ts', title: 'a/b.ts', code: '1', inside: undefined })
    expect(second).toMatchObject({ line: 6, title: 'c.ts', inside: '({ … })' })
  })

  test.each([
    ['npx metertap relay check --config x.ts', []],
    ['npx metertap relay chekc', ['metertap relay chekc: "chekc" is one argument too many.']],
    ['A=1 metertap meters --port 1 # all of them', []],
    ['npx metertap meters --prot 1', [expect.stringContaining('--prot')]],
    ['npm run demo -- --replay FILE && npm ci', []],
    ['npm run demo -- --relpay FILE', ['npm run demo knows no --relpay']],
    ['npm run dmeo', ['there is no npm script “dmeo”']],
    ['npx vitest run --project unit test/unit/none.test.ts', ['there is no file test/unit/none.test.ts']],
    ['frobnicate "a b" | cat', ['unknown program in “frobnicate a b”']],
    ["cat > file <<'END'\nfrobnicate\nEND\nnode none.ts", ['there is no file none.ts']],
    ['echo "', [expect.stringContaining('unexpected EOF')]],
  ])('of the command %s says %j', (code, problems) => expect(checkShell(code, NOTHING)).toEqual(problems))

  test.each([
    ['json', '{ "a": 1 }', '{ a: 1 }'],
    ['jsonc', '{ "a": 1, } // yes', '{ "a": '],
    ['yaml', 'a: [1]', 'a: [1'],
    ['toml', 'a = 1', 'a = '],
    ['html', '<p>a<br><script>if (1 < 2) {}</script></p>', '<p><b>a</p>'],
    ['sql', "SELECT ';' FROM a; -- yes", 'SELEKT 1;'],
    ['nginx', 'server { listen 443 ssl; # yes\n}', 'server { listen 443 ssl }'],
    ['dockerfile', 'FROM node:24\nCOPY package.json ./', 'FROM node:24\nCOPY nothing.json ./'],
    ['http', 'POST /v1/token HTTP/1.1\ncontent-type: application/json\n\n{}', 'POST v1/token'],
    ['ini', '[Unit]\nAfter=network.target', '[Unit\n'],
    ['env', '# yes\nA_B=c', 'a b'],
  ])('takes right %s and no wrong one', (language, right, wrong) => {
    expect(PLAIN_CHECKS[language]?.(right, NOTHING)).toEqual([])
    expect(PLAIN_CHECKS[language]?.(wrong, NOTHING)).not.toEqual([])
  })

  test('finds links that lead nowhere', () => {
    const text = '[a](src/README.md#the-map) `[b](no.md)` [c](no.md) [d](#none)\n[e](http://a.b) [f](https://a.b)'
    const problems = linksOf(text).flatMap((link) => linkProblem('README.md', link) ?? [])
    expect(problems.map((problem) => problem.split(' ')[1])).toEqual(['no.md', '#none', 'http://a.b'])
  })

  test('makes anchors as GitHub does', () => {
    const text = '# The `a` — b, c!\n## Twice\n## Twice\n```sh\n# none\n```\n'
    expect([...anchorsOf(text)]).toEqual(['the-a--b-c', 'twice', 'twice-1'])
  })
})
