import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Ratio, Report, Table } from '../contract.ts'
import { spreadOf } from '../harness/stats.ts'
import { type Bundle, bundleEntry, byGroup } from './modules.ts'

const ROOT = join(import.meta.dirname, '../..')
const KB = 1_000
/** Targets of the page's entry, kB gzip. */
const MAX_FIRST_KB = 10
const MAX_USUAL_KB = 28
const MAX_ALL_KB = 24

interface Entry {
  readonly name: string
  readonly file: string
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** What the runtime brings along; the user's bundler leaves it alone too. */
const RUNTIMES = ['node:*', 'cloudflare:*', 'electron']

/** The package's entries with code of their own, by what it exports. */
function entriesOf({ exports }: Manifest): Entry[] {
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const { types: _, ...conditions } = target
    const built = Object.values(conditions)[0] ?? ''
    const file = built.replace(/^\.\/dist\/(.*)\.c?js$/, 'src/$1.ts')
    return [{ name: path === '.' ? 'metertap' : path.replace('.', 'metertap'), file }]
  })
}

async function bundleAll(manifest: Manifest): Promise<[Entry, Bundle][]> {
  const external = [...RUNTIMES, ...Object.keys(manifest.peerDependencies ?? {})]
  const bundles: [Entry, Bundle][] = []
  for (const entry of entriesOf(manifest)) {
    const file = join(ROOT, entry.file)
    const forPage = () => bundleEntry(file, { platform: 'browser', external })
    // Packages that name Node's modules without their prefix are for Node alone.
    bundles.push([entry, await forPage().catch(() => bundleEntry(file, { platform: 'node', external }))])
  }
  return bundles
}

function entryTable(bundles: readonly [Entry, Bundle][]): Table {
  const rows = bundles.map(([{ name }, { firstBytes, laterBytes }]) => {
    return [name, firstBytes / KB, laterBytes / KB, (firstBytes + laterBytes) / KB]
  })
  const columns = ['entry', 'loaded at once', 'later', 'all']
  return { title: 'Minified and gzipped, all packages inside, kB', columns, rows }
}

function shareTable(title: string, { firstBytes, laterBytes, modules }: Bundle, rows: [string, number][]): Table {
  const minified = [...modules.values()].reduce((sum, bytes) => sum + bytes, 0)
  const packed = (bytes: number): number => ((bytes / minified) * (firstBytes + laterBytes)) / KB
  return {
    title,
    columns: ['', 'minified kB', 'gzip kB, by its share'],
    rows: rows.map(([name, bytes]) => [name, bytes / KB, packed(bytes)]),
  }
}

async function run(): Promise<Report> {
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Manifest
  const bundles = await bundleAll(manifest)
  const page = bundles.find(([{ name }]) => name === 'metertap')?.[1]
  if (!page) throw new Error('The page’s entry could not be bundled.')
  const ratios: Ratio[] = [
    { name: 'kB gzip before the first record()', value: spreadOf([page.firstBytes / KB]), atMost: MAX_FIRST_KB },
    { name: 'kB gzip to record and to send', value: spreadOf([page.usualBytes / KB]), atMost: MAX_USUAL_KB },
    { name: 'kB gzip in all', value: spreadOf([(page.firstBytes + page.laterBytes) / KB]), atMost: MAX_ALL_KB },
  ]
  const files = [...page.modules].toSorted(([, a], [, b]) => b - a).slice(0, 30)
  return {
    ratios,
    tables: [
      entryTable(bundles),
      shareTable('The page’s entry, by room and package', page, byGroup(page.modules)),
      shareTable('Its 30 largest files', page, files),
    ],
    charts: [],
    notes: [
      'Bundled by esbuild with splitting, for ES2022; gzip level 9. Later: what import() loads, at the first flush or when something is called.',
      'A file’s gzip bytes are its share of the minified bytes: compression is not that even.',
    ],
  }
}

export const sizeBench: Bench = {
  name: 'size',
  title: 'Bytes that a user’s bundler makes of each entry',
  defaultRounds: { quick: 1, full: 1 },
  run,
}
