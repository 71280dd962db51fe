import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { readBlocks } from '../support/docs/blocks.ts'

const MODULES: Readonly<Record<string, string>> = {
  metertap: resolve('src/index.ts'),
  'metertap/relay': resolve('src/relay.ts'),
  zod: import.meta.resolve('zod'),
}

test('docs/meters-and-zuora.md shows what `metertap meters` prints for its own configuration, without a secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-meters-'))
  const blocks = readBlocks('docs/meters-and-zuora.md')
  try {
    for (const { title, code } of blocks) {
      if (title === undefined) continue
      const text = code.replace(
        /from '([^'.]+)'/g,
        (_, name: string) => `from ${JSON.stringify(MODULES[name] ?? name)}`,
      )
      writeFileSync(join(folder, title), text)
    }
    const args = [resolve('src/cli.ts'), 'meters', '--config', 'relay.config.ts']
    const printed = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: {} })
    expect(printed.trimEnd()).toBe(blocks.find(({ language }) => language === 'text')?.code.trimEnd())
  } finally {
    rmSync(folder, { recursive: true })
  }
})
