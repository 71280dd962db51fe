import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const BENCH = fileURLToPath(new URL('../', import.meta.url))

async function bundle(source: string, minify: boolean): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: BENCH, loader: 'ts' },
    bundle: true,
    minify,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** The page's script for a subject, minified as a product would ship it. `module`: path below bench/. */
export function bundlePage(module: string, minify = true): Promise<string> {
  const path = JSON.stringify(`./${module}`)
  return bundle(
    `import { subject } from ${path}\nimport { openPage } from './page/main.ts'\nopenPage(subject)\n`,
    minify,
  )
}

/** Bytes of a subject alone, minified and gzipped, with all that it imports. */
export async function bundleBytes(module: string): Promise<number> {
  const text = await bundle(`export { subject } from ${JSON.stringify(`./${module}`)}\n`, true)
  return gzipSync(text, { level: 9 }).length
}
