import { chmodSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import dts from 'rollup-plugin-dts'
import esbuild from 'rollup-plugin-esbuild'

const packages =
  /^(node:|@hono\/|@opentelemetry\/|@standard-schema\/|hono|idb|jose|ky|lru-cache|nanoevents|pino|prom-client|uuid|zod)/
const transpile = esbuild({ target: 'es2022', sourceMap: true })

const executable = {
  name: 'executable',
  writeBundle({ dir }) {
    chmodSync(`${dir}/cli.js`, 0o755)
  },
}

/** Entries by runtime; a bundler of the user's shares the packages they also use. */
const entries = { index: 'src/index.ts', relay: 'src/relay.ts', grant: 'src/grant.ts', cli: 'src/cli.ts' }

export default [
  {
    input: entries,
    external: packages,
    plugins: [transpile, executable],
    output: { dir: 'dist', format: 'esm', sourcemap: true, chunkFileNames: 'chunks/[name]-[hash].js' },
  },
  {
    // For a script tag: everything inside, as window.metertap.
    input: 'src/index.ts',
    plugins: [nodeResolve({ browser: true }), transpile, terser()],
    output: { file: 'dist/metertap.global.js', format: 'iife', name: 'metertap', sourcemap: true },
  },
  {
    input: { index: 'src/index.ts', relay: 'src/relay.ts', grant: 'src/grant.ts' },
    external: packages,
    plugins: [dts()],
    output: { dir: 'dist', format: 'esm' },
  },
]
