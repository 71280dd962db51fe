import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A file of the front end, as it is served. */
export interface Asset {
  readonly type: string
  readonly content: string
}

const DEMO = new URL('../', import.meta.url)
/** Where the product's page takes the stage's controls in. */
const STAGE_MARK = '<!-- stage -->'
const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/': { file: 'product/page/index.html', type: 'text/html; charset=utf-8' },
  '/stage.css': { file: 'stage/page/stage.css', type: 'text/css; charset=utf-8' },
  '/robot.html': { file: 'stage/page/robot.html', type: 'text/html; charset=utf-8' },
  '/favicon.svg': { file: 'product/page/favicon.svg', type: 'image/svg+xml' },
  '/replay.html': { file: 'replay/page/replay.html', type: 'text/html; charset=utf-8' },
}
const BUNDLES = [
  { in: 'stage/page/main.ts', out: 'page' },
  { in: 'stage/page/robot.ts', out: 'robot' },
  { in: 'replay/page/main.ts', out: 'replay' },
  { in: 'product/page/page.css', out: 'page' },
]

/** Every file of the demo's front end by its path; scripts and styles are bundled now, from the agent's sources. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const files = Object.entries(FILES).map(async ([path, { file, type }]): Promise<[string, Asset]> => {
    return [path, { type, content: await readFile(new URL(file, DEMO), 'utf8') }]
  })
  const assets = new Map([...(await Promise.all(files)), ...(await makeBundles())])
  const page = assets.get('/')
  const stage = await readFile(new URL('stage/page/stage.html', DEMO), 'utf8')
  if (page) assets.set('/', { ...page, content: page.content.replace(STAGE_MARK, stage) })
  return assets
}

async function makeBundles(): Promise<[string, Asset][]> {
  const { outputFiles } = await build({
    absWorkingDir: fileURLToPath(DEMO),
    entryPoints: BUNDLES,
    bundle: true,
    format: 'esm',
    splitting: true,
    target: 'es2022',
    outdir: '/',
    write: false,
    logLevel: 'error',
  })
  return outputFiles.map(({ path, text }) => [
    `/${path.split(/[\\/]/).at(-1)}`,
    { type: path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8', content: text },
  ])
}
