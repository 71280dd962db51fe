import { bundleBytes, bundlePage, type PageScripts } from '../browser/bundle.ts'
import type { Format } from '../sink/contract.ts'
import { metertapFormat } from '../sink/formats/metertap.ts'
import { PEER_FORMATS } from '../sink/formats/peers.ts'

/** One library, set up in a page. */
export interface Library {
  readonly name: string
  readonly format: Format
  readonly scripts: PageScripts
  /** Minified and gzipped, with all that it imports. */
  readonly bundleBytes: number
}

interface Source {
  readonly name: string
  /** Path below bench/. */
  readonly module: string
  readonly format: Format
}

async function load({ name, module, format }: Source): Promise<Library> {
  return { name, format, scripts: await bundlePage(module), bundleBytes: await bundleBytes(module) }
}

/** metertap and its peers, those whose name holds the text. Peers have to be installed before. */
export async function loadLibraries(only: string): Promise<Library[]> {
  const ours: Source = { name: 'metertap', module: 'subjects/metertap.ts', format: metertapFormat() }
  const peers = Object.entries(PEER_FORMATS).map(([name, format]): Source => {
    return { name, module: `peers/configs/${name}.ts`, format }
  })
  return Promise.all([ours, ...peers].filter(({ name }) => name.includes(only)).map(load))
}
