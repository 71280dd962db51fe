import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MetertapError } from '../../wire/errors.ts'
import type { RelayConfig } from '../config/define-config.ts'

/**
 * Imports a configuration file and returns its default export, unchecked: createRelay() checks it.
 *
 * Errors: MetertapError bad_option, saying what is wrong with the file.
 */
export async function loadConfig(path: string, runtime: { readonly canRunTypeScript: boolean }): Promise<RelayConfig> {
  const file = resolve(path)
  const isFile = await stat(file).then(
    (stats) => stats.isFile(),
    () => false,
  )
  if (!isFile) throw badFile(`There is no file ${file}: give its path with --config.`)
  if (/\.[cm]?ts$/.test(file) && !runtime.canRunTypeScript) {
    throw badFile(`${file} is TypeScript, which Node.js runs from version 22.18 on: update Node.js or use a .mjs file.`)
  }
  const module = await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw badFile(`${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, error)
  })
  if (module.default !== undefined) return module.default
  throw badFile(`${file} has no default export: write "export default defineRelayConfig({ … })".`)
}

function badFile(message: string, cause?: unknown): MetertapError {
  return new MetertapError('bad_option', message, {}, cause)
}
