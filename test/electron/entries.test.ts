import { readFile } from 'node:fs/promises'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import type { BridgePort } from '../../src/bridge/contract.ts'

async function bundle(entry: string, options: BuildOptions) {
  const common = { bundle: true, minify: true, metafile: true, write: false }
  const { metafile, outputFiles = [] } = await build({ ...common, ...options, entryPoints: [entry] })
  const kept = Object.values(metafile?.outputs ?? {}).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  )
  return { kept, text: outputFiles[0]?.text ?? '' }
}

describe('the entries of Electron hold their own runtime and no other', () => {
  it('the page: no outbox of its own, no network, nothing of Node or Electron', async () => {
    const { kept, text } = await bundle('src/electron-renderer.ts', { platform: 'browser', format: 'esm' })
    const strangers =
      /node_modules\/(ky|idb|zod|electron|hono|jose)\/|src\/(relay|outbox\/(idb|memory|sqlite|node)|transport|sqlite)\//
    expect(kept.filter((path) => strangers.test(path))).toEqual([])
    expect(kept).toContain('src/agent/electron/renderer.ts')
    expect(gzipSync(text).length).toBeLessThanOrEqual(14_000)
  })

  it('the main process: no page, no IndexedDB, no relay, and electron is given to it', async () => {
    const { kept } = await bundle('src/electron-main.ts', { platform: 'node', format: 'esm' })
    const strangers =
      /node_modules\/(idb|hono|jose|electron)\/|src\/(relay\/|outbox\/idb|runtime\/browser|agent\/browser|agent\/electron\/renderer)/
    expect(kept.filter((path) => strangers.test(path))).toEqual([])
    expect(kept).toContain('src/outbox/node/open.ts')
  })

  it('the ready preload script requires electron alone, and exposes one frozen function', async () => {
    const script = await readFile('dist/electron-preload.cjs', 'utf8')
    const exposed = new Map<string, unknown>()
    const sent: unknown[][] = []
    const require = (name: string) => {
      if (name !== 'electron') throw new Error(`A sandboxed preload script cannot require ${name}.`)
      return {
        contextBridge: { exposeInMainWorld: (key: string, api: unknown) => exposed.set(key, api) },
        ipcRenderer: { invoke: async (...args: unknown[]) => sent.push(args) },
      }
    }
    runInNewContext(script, { require })
    expect([...exposed.keys()]).toEqual(['metertapBridge'])
    const port = exposed.get('metertapBridge') as BridgePort
    expect(Object.isFrozen(port)).toBe(true)
    expect(Object.keys(port)).toEqual(['version', 'call'])
    await port.call({ kind: 'hello' } as never)
    expect(sent).toEqual([['metertap', { kind: 'hello' }]])
  })
})
