import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

interface Item {
  readonly type: string
  readonly id?: string
  readonly attributes: { readonly label?: string; readonly value?: string; readonly options?: readonly string[] }
}
interface Form {
  readonly name: string
  readonly description: string
  readonly labels: readonly string[]
  readonly body: readonly Item[]
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<
    Record<string, { readonly steps: readonly { readonly uses?: string; readonly run?: string }[] }>
  >
}

const read = <T>(file: string): T => parse(readFileSync(file, 'utf8')) as T
const forms = globSync('.github/ISSUE_TEMPLATE/*.yml').filter((file) => !file.endsWith('config.yml'))
const workflows = globSync('.github/workflows/*.yml')

test('there are forms and workflows', () => expect([forms.length, workflows.length]).toEqual([3, 2]))

/** GitHub shows no form at all when one of these is broken. */
test.each(forms)('%s is a form', (file) => {
  const { name, description, labels, body } = read<Form>(file)
  for (const text of [name, description, ...labels]) expect(text).toEqual(expect.any(String))
  const asked = body.filter(({ type }) => type !== 'markdown')
  expect(asked.length).toBeGreaterThan(0)
  for (const { type, attributes } of body) {
    expect(type).toMatch(/^(markdown|input|textarea|dropdown)$/)
    expect(type === 'markdown' ? attributes.value : attributes.label).toEqual(expect.any(String))
    expect(Array.isArray(attributes.options)).toBe(type === 'dropdown')
  }
  const ids = asked.map(({ id }) => id)
  expect(ids.every((id) => /^[a-z]+$/.test(id ?? ''))).toBe(true)
  expect(new Set(ids).size).toBe(ids.length)
})

test.each(workflows)('%s pins its actions, asks for little, and runs scripts that there are', (file) => {
  const { permissions, jobs } = read<Workflow>(file)
  expect(permissions.contents).toBe('read')
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const steps = Object.values(jobs).flatMap((job) => job.steps)
  for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@v\d+\.\d+\.\d+$/)
  const called = steps.flatMap(({ run = '' }) => [...run.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? ''))
  expect(called.filter((name) => !(name in scripts))).toEqual([])
})

test('paths and anchors that the pages for contributors name are there', () => {
  const text = ['CONTRIBUTING.md', 'SECURITY.md'].map((file) => readFileSync(file, 'utf8')).join('\n')
  const paths = [...text.matchAll(/`((?:src|test|release|docs|\.github)\/[\w./-]+)`/g)].map(([, path]) => path ?? '')
  expect(paths.length).toBeGreaterThan(15)
  expect(paths.filter((path) => !path.includes('NAME') && !existsSync(path))).toEqual([])
})
