import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** A page's scripts by their paths: `/page.js`, and what it loads by import(). */
export type PageScripts = ReadonlyMap<string, string>

const BENCH = fileURLToPath(new URL('../', import.meta.url))

async function bundle(source: string, minify: boolean): Promise<PageScripts> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: BENCH, loader: 'ts' },
    bundle: true,
    minify,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    define: { 'process.env.NODE_ENV': '"production"' },
    outdir: '/',
    entryNames: 'page',
    write: false,
    logLevel: 'error',
  })
  return new Map(outputFiles.map(({ path, text }) => [`/${path.split(/[\\/]/).at(-1)}`, text]))
}

/** The scripts of a subject's page, minified as a product would ship them. `module`: path below bench/. */
export function bundlePage(module: string, minify = true): Promise<PageScripts> {
  const path = JSON.stringify(`./${module}`)
  return bundle(
    `import { subject } from ${path}\nimport { openPage } from './page/main.ts'\nopenPage(subject)\n`,
    minify,
  )
}

/** Bytes of a subject alone, minified and gzipped, with all that it imports, early or late. */
export async function bundleBytes(module: string): Promise<number> {
  const scripts = await bundle(`export { subject } from ${JSON.stringify(`./${module}`)}\n`, true)
  return [...scripts.values()].reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0)
}
