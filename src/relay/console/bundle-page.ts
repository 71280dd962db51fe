import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CONSOLE_TYPES, type ConsoleFileName, type ConsoleFiles } from './files.ts'

/** Makes the page's files of its sources: for the build, and for a relay that runs from its sources. */
export async function bundlePage(): Promise<ConsoleFiles> {
  const { build } = await import('esbuild')
  const folder = fileURLToPath(new URL('./page/', import.meta.url))
  const licence = `/*! This file contains uPlot.\n${await readFile(createRequire(import.meta.url).resolve('uplot/LICENSE'), 'utf8')}*/`
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: { page: 'main.ts', style: 'page.css' },
    ...{ bundle: true, minify: true, write: false, format: 'esm', target: 'es2022', outdir: '/', logLevel: 'error' },
    banner: { js: licence, css: licence },
  })
  const textOf = (name: string): string => outputFiles.find(({ path }) => path.endsWith(name))?.text ?? ''
  const source = (name: string): Promise<string> => readFile(`${folder}${name}`, 'utf8')
  const file = (name: ConsoleFileName, text: string) => ({ [name]: { type: CONSOLE_TYPES[name], text } })
  return {
    ...file('page.html', await source('page.html')),
    ...file('page.js', textOf('page.js')),
    ...file('page.css', textOf('style.css')),
    ...file('icon.svg', await source('icon.svg')),
  } as ConsoleFiles
}
