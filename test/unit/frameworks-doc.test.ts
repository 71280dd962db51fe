import { readFile } from 'node:fs/promises'
import { transform } from 'esbuild'
import { describe, expect, it } from 'vitest'

const text = await readFile('docs/frameworks.md', 'utf8')
const blocks = [...text.matchAll(/```(tsx?)\n(.*?)```/gs)].map(([, loader, code]) => ({ loader, code: code ?? '' }))

const ENTRIES: Readonly<Record<string, () => Promise<object>>> = {
  metertap: () => import('../../src/index.ts'),
  'metertap/react': () => import('../../src/react.ts'),
}

/** Names imported as values, by module. */
function importsOf(code: string): (readonly [module: string, names: string[]])[] {
  return [...code.matchAll(/^import \{([^}]*)\} from '([^']+)'/gm)].map(([, names = '', from = '']) => {
    const values = names.split(',').map((name) => name.trim())
    return [from, values.filter((name) => name && !name.startsWith('type '))] as const
  })
}

describe('the recipes for frameworks', () => {
  it('there are some', () => expect(blocks.length).toBeGreaterThanOrEqual(5))

  it.each(blocks.map((block, nth) => [nth + 1, block] as const))(
    'block %i is code, and what it imports exists',
    async (_, block) => {
      await transform(block.code, { loader: block.loader as 'ts' | 'tsx', jsx: 'automatic' })
      for (const [from, names] of importsOf(block.code)) {
        const entry = ENTRIES[from]
        if (!entry) continue
        for (const name of names) expect(await entry()).toHaveProperty(name)
      }
    },
  )
})
