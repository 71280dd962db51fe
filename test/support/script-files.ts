import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type OutputOptions, type RollupOptions, rollup } from 'rollup'
// @ts-expect-error: the build's own configuration has no types.
import configurations from '../../rollup.config.mjs'

export interface ScriptFile {
  readonly content: string
  readonly integrity: string
  /** For script-src, when the content stands between script tags. */
  readonly inline: string
}

/** The files for script tags, built now as the package's build does; by name. */
export async function buildScriptFiles(): Promise<Readonly<Record<string, ScriptFile>>> {
  const folder = await mkdtemp(join(tmpdir(), 'metertap-scripts-'))
  const files: Record<string, ScriptFile> = {}
  try {
    for (const configuration of configurations as RollupOptions[]) {
      const output = configuration.output as OutputOptions
      if (output.format !== 'iife' || !output.file) continue
      const file = join(folder, basename(output.file))
      const bundle = await rollup(configuration)
      await bundle.write({ ...output, file })
      await bundle.close()
      const facts = JSON.parse(await readFile(`${file}.integrity.json`, 'utf8')) as Omit<ScriptFile, 'content'>
      files[basename(file)] = { content: await readFile(file, 'utf8'), ...facts }
    }
    return files
  } finally {
    await rm(folder, { recursive: true })
  }
}
