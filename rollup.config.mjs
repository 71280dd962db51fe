import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import dts from 'rollup-plugin-dts'
import esbuild from 'rollup-plugin-esbuild'

const packages =
  /^(node:|cloudflare:|electron$|@hono\/|@opentelemetry\/|@standard-schema\/|cli-progress|hono|idb|jose|ky|lru-cache|nanoevents|pg$|pino|prom-client|react|uuid|zod)/
const transpile = esbuild({ target: 'es2022', sourceMap: true })

/** What packages do inside is theirs; what this project's own code does is an error's business. */
function onwarn(warning, warn) {
  const places = [warning.id, ...(warning.ids ?? []), warning.loc?.file].filter(Boolean)
  if (places.length === 0 || !places.every((place) => place.includes('node_modules'))) warn(warning)
}

/** What an earlier build left would be packed, too. */
const fresh = {
  name: 'fresh',
  buildStart() {
    rmSync('dist', { recursive: true, force: true })
  },
}

const executable = {
  name: 'executable',
  writeBundle({ dir }) {
    chmodSync(`${dir}/cli.js`, 0o755)
  },
}

/**
 * The relay's console: its page is bundled now, and its files are text in a module of their own. Beside it they are
 * files, for a Worker's static assets.
 */
const consolePage = {
  name: 'console-page',
  async load(id) {
    if (!id.endsWith('/console/load-files.ts')) return null
    const { bundlePage } = await import(pathToFileURL('src/relay/console/bundle-page.ts').href)
    const files = await bundlePage()
    for (const [name, { text }] of Object.entries(files)) {
      this.emitFile({ type: 'asset', fileName: `console/${name}`, source: text })
    }
    return `const files = ${JSON.stringify(files)}\nexport const loadFiles = async () => files\n`
  },
}

/** Declarations for a file that is no module of ours: they stand beside it, under its own name. */
function declarations(fileName, source) {
  return {
    name: 'declarations',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName, source })
    },
  }
}

/** What the script tag's file adds to a page. */
const GLOBAL_TYPES = `declare global {
  interface Window {
    readonly metertap: typeof import('./index.js')
  }
}
export {}
`

/**
 * Beside each script for pages: what its integrity attribute must say, and what a Content-Security-Policy has to list
 * when the script stands in the page itself.
 */
const integrity = {
  name: 'integrity',
  writeBundle({ file }) {
    const text = readFileSync(file, 'utf8')
    const hash = (algorithm, of) => `${algorithm}-${createHash(algorithm).update(of).digest('base64')}`
    // Between the tags of an inline script the file's last line break is left out.
    const facts = { integrity: hash('sha384', text), inline: `'${hash('sha256', text.trimEnd())}'` }
    writeFileSync(`${file}.integrity.json`, `${JSON.stringify(facts, null, 2)}\n`)
  },
}

/** Entries by runtime; a bundler of the user's shares the packages they also use. */
const entries = {
  index: 'src/index.ts',
  'service-worker': 'src/service-worker.ts',
  react: 'src/react.ts',
  inspector: 'src/inspector.ts',
  node: 'src/node.ts',
  worker: 'src/worker.ts',
  'electron-main': 'src/electron-main.ts',
  'electron-preload': 'src/electron-preload.ts',
  'electron-renderer': 'src/electron-renderer.ts',
  relay: 'src/relay.ts',
  grant: 'src/grant.ts',
  'relay-worker': 'src/relay-worker.ts',
  cli: 'src/cli.ts',
}

export default [
  {
    input: entries,
    onwarn,
    external: packages,
    plugins: [fresh, consolePage, transpile, executable],
    output: { dir: 'dist', format: 'esm', sourcemap: true, chunkFileNames: 'chunks/[name]-[hash].js' },
  },
  {
    // For a script tag: everything inside, as window.metertap. One file, so that one integrity hash covers it.
    input: 'src/script-tag/library.ts',
    onwarn,
    plugins: [
      nodeResolve({ browser: true }),
      transpile,
      terser(),
      declarations('metertap.global.d.ts', GLOBAL_TYPES),
      integrity,
    ],
    output: {
      file: 'dist/metertap.global.js',
      format: 'iife',
      name: 'metertap',
      sourcemap: true,
      inlineDynamicImports: true,
    },
  },
  {
    // For a script tag before that one: keeps what is recorded until it has arrived.
    input: 'src/script-tag/queue.ts',
    onwarn,
    plugins: [transpile, terser(), integrity],
    output: { file: 'dist/metertap.queue.js', format: 'iife' },
  },
  {
    // Given to a window as its preload script: sandboxed ones are CommonJS and may require nothing but electron.
    input: 'src/electron-preload-script.ts',
    onwarn,
    external: packages,
    plugins: [transpile, declarations('electron-preload.d.cts', 'export {}\n')],
    output: { file: 'dist/electron-preload.cjs', format: 'cjs' },
  },
  {
    input: {
      ...Object.fromEntries(Object.entries(entries).filter(([name]) => name !== 'cli')),
      'metertap.queue': 'src/script-tag/contract.ts',
    },
    external: packages,
    plugins: [dts()],
    output: { dir: 'dist', format: 'esm' },
  },
]
