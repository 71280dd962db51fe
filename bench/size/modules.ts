import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'

export interface Bundle {
  /** Minified and gzipped bytes of what the entry loads before anything runs. */
  readonly firstBytes: number
  /** The same with the second piece: all that a page loads as long as nothing is wrong. */
  readonly usualBytes: number
  /** Of what is loaded later than at first, by import(). */
  readonly laterBytes: number
  /** Minified bytes by source file, as they stand in the output. */
  readonly modules: ReadonlyMap<string, number>
}

export interface BundleOptions {
  readonly platform: 'browser' | 'node'
  /** Packages that the entry's user brings along. Default: none, everything is inside. */
  readonly external?: readonly string[]
}

const gzipBytes = (content: Uint8Array): number => gzipSync(content, { level: 9 }).length

/** Outputs that are loaded with the entry: by import statements, not by import(). */
function loadedFirst(outputs: Metafile['outputs'], entry: string): Set<string> {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { kind, path: next } of outputs[path]?.imports ?? []) if (kind === 'import-statement') visit(next)
  }
  visit(entry)
  return seen
}

/** Bundles an entry as a user's bundler would: modern output, minified, what import() asks for in files of its own. */
export async function bundleEntry(file: string, { platform, external = [] }: BundleOptions): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    platform,
    external: [...external],
    define: { 'process.env.NODE_ENV': '"production"' },
    outdir: 'out',
    metafile: true,
    write: false,
    logLevel: 'silent',
  })
  const outputOf = (source: string): string => {
    const isIt = ([, { entryPoint }]: [string, { entryPoint?: string }]) => entryPoint && source.endsWith(entryPoint)
    return Object.entries(metafile.outputs).find(isIt)?.[0] ?? ''
  }
  const first = loadedFirst(metafile.outputs, outputOf(file))
  const usual = new Set([...first, ...loadedFirst(metafile.outputs, outputOf('src/agent/second-piece.ts'))])
  let firstBytes = 0
  let usualBytes = 0
  let laterBytes = 0
  const modules = new Map<string, number>()
  for (const { path, contents } of outputFiles) {
    const name = Object.keys(metafile.outputs).find((output) => path.endsWith(output)) ?? path
    if (first.has(name)) firstBytes += gzipBytes(contents)
    else laterBytes += gzipBytes(contents)
    if (usual.has(name)) usualBytes += gzipBytes(contents)
    for (const [input, { bytesInOutput }] of Object.entries(metafile.outputs[name]?.inputs ?? {})) {
      modules.set(input, (modules.get(input) ?? 0) + bytesInOutput)
    }
  }
  return { firstBytes, usualBytes, laterBytes, modules }
}

/** The room or package that a source file belongs to. */
function groupOf(file: string): string {
  const pack = /node_modules\/((?:@[^/]+\/)?[^/]+)/g
  const packages = [...file.matchAll(pack)]
  const last = packages.at(-1)?.[1]
  if (last !== undefined) return last
  return /^src\/([^/]+)\//.exec(file)?.[1] ?? file
}

/** Sums by room or package, largest first. */
export function byGroup(modules: ReadonlyMap<string, number>): [string, number][] {
  const sums = new Map<string, number>()
  for (const [file, bytes] of modules) sums.set(groupOf(file), (sums.get(groupOf(file)) ?? 0) + bytes)
  return [...sums].toSorted(([, a], [, b]) => b - a)
}
