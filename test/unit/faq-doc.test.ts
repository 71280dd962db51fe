import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { explain } from '../../src/relay/cli/explain/explain.ts'

const sources = globSync('src/**/*.{ts,tsx}').map((file) => readFileSync(file, 'utf8').replace(/\s+/g, ' '))
const pages = ['docs/faq.md', 'docs/migrating.md'].map((file) => [file, readFileSync(file, 'utf8')] as const)

/** Lower-case words with an underscore are codes: nothing else in these pages looks like that. */
const codesOf = (text: string): string[] => [...text.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, code]) => code ?? '')
/** Names of analytics libraries, meters of the examples. */
const OTHERS = new Set(['batch_size', 'before_send', 'export_finished'])

describe.each(pages)('%s', (file, text) => {
  test('names codes that there are', () => {
    const codes = codesOf(text).filter((code) => !OTHERS.has(code))
    expect(codes.filter((code) => explain(code) === undefined)).toEqual([])
    if (file === 'docs/faq.md') expect(new Set(codes).size).toBeGreaterThan(25)
  })

  test('quotes messages as the sources have them', () => {
    const quotes = [...text.matchAll(/“([^”]+)”/g)].map(([, quote]) => (quote ?? '').replace(/\s+/g, ' '))
    if (file === 'docs/faq.md') expect(quotes.length).toBeGreaterThan(3)
    expect(quotes.filter((quote) => !sources.some((source) => source.includes(quote)))).toEqual([])
  })
})

test('the FAQ tells every reason of the agent’s own for not sending', () => {
  const list =
    /export type PauseReason =(.*?)\(string/s.exec(readFileSync('src/schedule/contract.ts', 'utf8'))?.[1] ?? ''
  const reasons = [...list.matchAll(/'(\w+)'/g)].map(([, reason]) => reason)
  expect(reasons.length).toBeGreaterThan(5)
  const [, page = ''] = pages[0] ?? []
  expect(reasons.filter((reason) => !page.includes(`| \`${reason}\``))).toEqual([])
})
