import { existsSync } from 'node:fs'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Consumer, openConsumer } from './support/consumer.ts'

let consumer: Consumer

beforeAll(async () => {
  if (!existsSync('dist/index.js')) throw new Error('There is nothing to pack: run `npm run build` first.')
  consumer = await openConsumer()
}, 180_000)
afterAll(() => consumer?.close())

interface Bundled {
  /** Packages of others that are inside. */
  readonly packages: string[]
  /** What the runtime itself must have. */
  readonly builtins: string[]
}

/** What an application's bundler makes of one entry. */
async function bundle(entry: string): Promise<Bundled> {
  const { metafile } = await build({
    stdin: { contents: `export * from '${entry}'`, resolveDir: consumer.folder },
    ...({ bundle: true, splitting: true, format: 'esm', write: false, metafile: true, outdir: 'out' } as const),
    external: ['node:*', 'cloudflare:*', 'electron'],
    // Packages written for several runtimes are to give their part for this one.
    conditions: entry.endsWith('relay') || entry.endsWith('node') ? ['node'] : ['browser'],
    logLevel: 'silent',
  })
  const inside = Object.keys(metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter(({ external }) => external))
  return {
    packages: [...new Set(inside)].filter((name) => name !== undefined && name !== 'metertap').sort() as string[],
    builtins: [...new Set(outside.map(({ path }) => path))].sort(),
  }
}

const IN_PAGES = ['idb', 'ky', 'nanoevents']

describe('each entry’s bundle holds only its own runtime', () => {
  it.each([
    ['metertap', { packages: IN_PAGES, builtins: [] }],
    ['metertap/service-worker', { packages: ['idb', 'ky'], builtins: [] }],
    ['metertap/worker', { packages: ['jose', 'ky', 'nanoevents', 'uuid'], builtins: ['cloudflare:workers'] }],
    ['metertap/react', { packages: ['react'], builtins: [] }],
    ['metertap/inspector', { packages: [], builtins: [] }],
    ['metertap/electron-preload', { packages: [], builtins: ['electron'] }],
    ['metertap/electron-renderer', { packages: ['nanoevents'], builtins: [] }],
    ['metertap/grant', { packages: ['jose'], builtins: [] }],
  ])('%s', async (entry, expected) => {
    expect(await bundle(entry)).toEqual(expected)
  })

  it.each(['metertap/node', 'metertap/electron-main'])('%s', async (entry) => {
    const { packages, builtins } = await bundle(entry)
    expect(packages.filter((name) => !['ky', 'nanoevents', 'uuid', 'zod'].includes(name))).toEqual([])
    expect(builtins.length).toBeGreaterThan(0)
    expect(builtins.filter((name) => !name.startsWith('node:'))).toEqual([])
  })

  it('metertap/relay-worker', async () => {
    const { packages, builtins } = await bundle('metertap/relay-worker')
    expect(builtins).toEqual(['cloudflare:workers'])
    expect(packages).toContain('hono')
    expect(packages.filter((name) => /^(pino|pg|prom-client|@hono)/.test(name))).toEqual([])
  })
})
