import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const map = readFileSync('src/README.md', 'utf8')
const named = [...map.matchAll(/`([\w./-]+\.ts) › (.+?)`$/gm)].map(([, file, title]) => [
  file as string,
  title as string,
])

describe('the list of invariants', () => {
  test('numbers them without a gap', () => {
    const numbers = [...map.slice(map.indexOf('# Invariants')).matchAll(/^(\d+)\. /gm)].map(([, number]) =>
      Number(number),
    )
    expect(numbers.length).toBeGreaterThan(20)
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  })

  test.each(named)('%s has the test “%s”', (file, title) => {
    const path = `test/${file}`
    expect(existsSync(path)).toBe(true)
    expect(readFileSync(path, 'utf8')).toContain(title)
  })
})
