import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadFrom, MILLION } from '../../bench/scale/model/load.ts'
import { fillPage, markdownOf, namesIn } from '../../bench/scale/model/markdown.ts'
import { readMeasured } from '../../bench/scale/model/measured.ts'
import { tablesOf } from '../../bench/scale/model/tables.ts'

const page = readFileSync('docs/scale.md', 'utf8')
const tables = tablesOf(MILLION, readMeasured())

describe('docs/scale.md', () => {
  test('has the tables that the model makes: else run npm run scale -- --docs', () => {
    expect(page).toBe(fillPage(page, tables))
  })

  test('has all of them, each once', () => {
    expect(namesIn(page).toSorted()).toEqual(tables.map(({ name }) => name).toSorted())
  })

  test('names every option of a load', () => {
    for (const name of Object.keys(loadFrom({}))) expect(page).toContain(`\`${name}\``)
  })

  test('says which points are preliminary', () => {
    const some = Object.values(readMeasured()).filter(({ isPreliminary }) => isPreliminary)
    expect(page.match(/: preliminary \|/g)?.length ?? 0).toBe(some.length)
  })
})

test('a page that asks for a table that is not there is refused', () => {
  expect(() => fillPage('<!-- table none -->\n<!-- end -->', tables)).toThrow(/no table none: there are parts/)
})

test('a table in Markdown has three figures that count', () => {
  const table = { title: 't', columns: ['', 'n'], rows: [['a', 1234.5]] }
  expect(markdownOf(table)).toBe('|  | n |\n| --- | ---: |\n| a | 1,235 |')
})
