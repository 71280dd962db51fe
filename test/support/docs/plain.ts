import { existsSync } from 'node:fs'
import { parse as parseToml } from 'smol-toml'
import ts from 'typescript'
import { parseAllDocuments } from 'yaml'
import type { ShellPage } from './shell.ts'

type Check = (code: string, page: ShellPage) => string[]

/** What can be said of a block's text by its language alone. */
export const PLAIN_CHECKS: Readonly<Record<string, Check>> = {
  json: (code) => attempt(() => JSON.parse(code)),
  jsonc: checkJsonc,
  yaml: (code) => parseAllDocuments(code).flatMap(({ errors }) => errors.map(({ message }) => message)),
  toml: (code) => attempt(() => parseToml(code)),
  html: checkHtml,
  sql: checkSql,
  nginx: checkNginx,
  dockerfile: checkDockerfile,
  http: checkHttp,
  ini: checkIni,
  env: (code) => wrongLines(code, /^[A-Z][A-Z0-9_]*=\S*$/, 'NAME=value'),
}

/** Languages that have no check here, and why. */
export const UNCHECKED: Readonly<Record<string, string>> = {
  text: 'is shown as it is printed',
  promql: 'needs Prometheus itself; the names of its series are checked where the relay’s metrics are',
  mermaid: 'is a picture',
  diff: 'is a difference between two files',
}

function attempt(work: () => unknown): string[] {
  try {
    work()
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

function checkJsonc(code: string): string[] {
  const { error } = ts.parseConfigFileTextToJson('block.jsonc', code)
  return error === undefined ? [] : [ts.flattenDiagnosticMessageText(error.messageText, '\n')]
}

/** Comments and empty lines aside, every line is like this. */
function wrongLines(code: string, like: RegExp, what: string): string[] {
  const lines = code.split('\n').filter((line) => line.trim() !== '' && !/^\s*[#;]/.test(line))
  return lines.filter((line) => !like.test(line)).map((line) => `no ${what}: ${line}`)
}

const VOID = /^(area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/

/** Every element that needs an end has one, in the right order. */
function checkHtml(code: string): string[] {
  const open: string[] = []
  const bare = code.replace(/<!--[\s\S]*?-->/g, '').replace(/(<(script|style)\b[^>]*>)[\s\S]*?(<\/\2>)/g, '$1$3')
  for (const [tag, slash, name = '', selfClosed] of bare.matchAll(
    /<(\/?)([a-zA-Z][\w-]*)(?:"[^"]*"|'[^']*'|[^>"'])*?(\/?)>/g,
  )) {
    if (slash === '' && selfClosed === '' && !VOID.test(name)) open.push(name)
    if (slash === '/' && open.pop() !== name) return [`${tag} closes nothing`]
  }
  if (/<[a-zA-Z][^>]*$/.test(bare)) return ['a tag does not end']
  return open.map((name) => `<${name}> is not closed`)
}

const STATEMENT =
  /^(ALTER|ANALYZE|BEGIN|COMMIT|CREATE|DELETE|DROP|EXPLAIN|GRANT|INSERT|REVOKE|ROLLBACK|SELECT|SET|SHOW|UPDATE|VACUUM|WITH)\b/i

function checkSql(code: string): string[] {
  const bare = code.replace(/--[^\n]*/g, '').replace(/'(?:[^']|'')*'/g, "''")
  const statements = bare.split(';').map((statement) => statement.trim())
  const problems = statements.at(-1) === '' ? [] : ['the last statement does not end with ;']
  const odd = statements.filter((statement) => statement !== '' && !STATEMENT.test(statement))
  return [...problems, ...odd.map((statement) => `no statement: ${statement}`), ...balance(bare, '(', ')')]
}

function balance(text: string, opening: string, closing: string): string[] {
  let depth = 0
  for (const char of text) {
    if (char === opening) depth++
    if (char === closing && --depth < 0) break
  }
  return depth === 0 ? [] : [`${opening} and ${closing} do not match`]
}

/** Directives end with ; or open a block, and blocks are closed. */
function checkNginx(code: string): string[] {
  const bare = code.replace(/#[^\n]*/g, '').replace(/"[^"]*"|'[^']*'/g, 'text')
  const unended = [...bare.matchAll(/([^;{}]*)(\}|$)/g)].map(([, text = '']) => text.trim()).filter(Boolean)
  const odd = [...bare.matchAll(/([^;{}]*)[;{]/g)].filter(([, directive = '']) => !/^\s*[a-z_]+(\s|$)/.test(directive))
  const problems = odd.map(([directive]) => `no directive: ${directive.trim()}`)
  return [...problems, ...unended.map((text) => `does not end: ${text}`), ...balance(bare, '{', '}')]
}

const INSTRUCTION =
  /^(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\s+\S/

/** Instructions are known; what is copied is a file of the page, of this project or of any npm package. */
function checkDockerfile(code: string, page: ShellPage): string[] {
  const lines = code
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const odd = lines.filter((line) => !INSTRUCTION.test(line)).map((line) => `no instruction: ${line}`)
  const missing = lines
    .filter((line) => /^COPY\s/.test(line) && !line.includes('--from='))
    .flatMap((line) => {
      const sources = line
        .split(/\s+/)
        .slice(1, -1)
        .filter((word) => !word.startsWith('--'))
      return sources.filter((name) => !page.files.has(name) && !existsSync(name) && name !== '.')
    })
  return [...odd, ...missing.map((name) => `there is no file ${name}`)]
}

const REQUEST = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\/|https:\/\/)\S*( HTTP\/[\d.]+)?$|^HTTP\/[\d.]+ \d{3}\b/

/** A request or status line, fields, and a body that is JSON where the fields say so. */
function checkHttp(code: string): string[] {
  const [head = '', ...body] = code.split(/\n\n/)
  const [first = '', ...fields] = head.split('\n')
  const problems = REQUEST.test(first) ? [] : [`neither request nor status: ${first}`]
  const odd = fields.filter((field) => !/^[\w-]+: \S/.test(field)).map((field) => `no field: ${field}`)
  const isJson = fields.some((field) => /^content-type: .*json/i.test(field)) && body.length > 0
  return [...problems, ...odd, ...(isJson ? attempt(() => JSON.parse(body.join('\n\n'))) : [])]
}

function checkIni(code: string): string[] {
  return wrongLines(code, /^\[[\w. -]+\]$|^[\w.-]+\s*=/, '[section] or key = value')
}
