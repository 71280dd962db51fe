import { gzipSync } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { type OutputChunk, rollup } from 'rollup'
import esbuild, { minify } from 'rollup-plugin-esbuild'

export interface BundleSize {
  /** Minified and gzipped bytes of what is loaded at once, all packages inside. */
  readonly firstBytes: number
  /** The same with the second piece: all that a page loads as long as nothing is wrong. */
  readonly usualBytes: number
  readonly usualModules: readonly string[]
  /** The same with every piece that import() may fetch later. */
  readonly allBytes: number
  readonly firstModules: readonly string[]
  readonly modules: readonly string[]
}

/** Bundles an entry for browsers as its users' bundlers do: minified, in pieces where import() splits it. */
export async function measureBundle(entry: string): Promise<BundleSize> {
  const plugins = [nodeResolve({ browser: true }), esbuild({ target: 'es2022' }), minify()]
  const bundle = await rollup({ input: entry, onwarn() {}, plugins })
  const { output } = await bundle.generate({ format: 'esm' })
  await bundle.close()
  const chunks = output.filter((file): file is OutputChunk => file.type === 'chunk')
  const loaded = new Set<OutputChunk>()
  const add = (chunk: OutputChunk | undefined): void => {
    if (!chunk || loaded.has(chunk)) return
    loaded.add(chunk)
    for (const name of chunk.imports) add(chunks.find(({ fileName }) => fileName === name))
  }
  add(chunks.find(({ isEntry }) => isEntry))
  const atOnce = [...loaded]
  add(chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith('/second-piece.ts'))))
  return {
    firstBytes: bytesOf(atOnce),
    usualBytes: bytesOf([...loaded]),
    allBytes: bytesOf(chunks),
    firstModules: modulesOf(atOnce),
    usualModules: modulesOf([...loaded]),
    modules: modulesOf(chunks),
  }
}

function bytesOf(chunks: readonly OutputChunk[]): number {
  return chunks.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0)
}

function modulesOf(chunks: readonly OutputChunk[]): string[] {
  return chunks.flatMap(({ modules }) =>
    Object.entries(modules).flatMap(([path, { renderedLength }]) => (renderedLength > 0 ? [path] : [])),
  )
}
