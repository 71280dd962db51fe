import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { EDGE_VERSION } from '../../src/relay/edge/version.ts'

const MAX_GZIP_BYTES = 119_000

test('the edge relay’s bundle holds nothing of Node, no agent, and stays within its size', async () => {
  const { metafile, outputFiles } = await build({
    ...{
      entryPoints: ['src/relay-worker.ts'],
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      metafile: true,
    },
    // Neutral: an import of Node's would be an error.
    ...{ platform: 'neutral', mainFields: ['module', 'main'], conditions: ['workerd', 'worker', 'browser'] },
    external: ['cloudflare:workers'],
  })
  const inputs = Object.keys(metafile.inputs)
  expect(inputs).toContain('src/relay/edge/define-relay-worker.ts')
  expect(
    inputs.filter((path) =>
      /src\/agent|console\/(page|bundle-page|load-files)|uplot|src\/outbox|store\/sqlite\/database|node:|pino|prom-client/.test(
        path,
      ),
    ),
  ).toEqual([])
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  expect(imports).toEqual(['cloudflare:workers'])
  const text = outputFiles[0]?.text ?? ''
  expect(text).not.toMatch(/\bBuffer\.|\bprocess\.env\b|\brequire\(/)
  const bytes = gzipSync(text).length
  console.info(`metertap/relay-worker: ${bytes} bytes gzip`)
  expect(bytes).toBeLessThanOrEqual(MAX_GZIP_BYTES)
})

test('the ready project is what wrangler deploys', async () => {
  const out = mkdtempSync(join(tmpdir(), 'metertap-wrangler-'))
  try {
    const config = join(out, 'wrangler.jsonc')
    const text = readFileSync('demo/relay-worker/wrangler.jsonc', 'utf8')
    // The page is there after a build only; here any folder will do.
    writeFileSync(
      config,
      text
        .replace('"worker.ts"', JSON.stringify(resolve('demo/relay-worker/worker.ts')))
        .replace('../../dist/console', './console'),
    )
    mkdirSync(join(out, 'console'))
    writeFileSync(join(out, 'console/page.html'), '<p></p>')
    const wrangler = join(createRequire(import.meta.url).resolve('wrangler/package.json'), '../bin/wrangler.js')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [wrangler, 'deploy', '--dry-run', '--outdir', join(out, 'built'), '--config', config],
      { env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1', NO_COLOR: '1' } },
    )
    for (const [binding, name] of [
      ['USAGE_SHARD', 'UsageShard'],
      ['USAGE_KEYS', 'UsageKeys'],
      ['USAGE_GATE', 'UsageGate'],
    ]) {
      expect(stdout).toMatch(new RegExp(`env\\.${binding} \\(${name}`))
    }
    expect(stdout).toMatch(/env\.USAGE_CONSOLE/)
    expect(readdirSync(join(out, 'built'))).toContain('worker.js')
    expect(readFileSync(join(out, 'built/worker.js'), 'utf8')).toContain('UsageShard')
  } finally {
    rmSync(out, { recursive: true })
  }
}, 120_000)

test('the version in the bundle is the package’s', () => {
  expect(EDGE_VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version)
})
