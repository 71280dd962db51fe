import { createGzip, type Gzip } from '../wire/gzip.ts'
import type { Runtime } from './contract.ts'
import { pageRuntime } from './page.ts'

/** gzip by the browser's own compressor, where it has one. */
export function browserGzip(): Gzip | undefined {
  return typeof CompressionStream === 'undefined' ? undefined : createGzip(CompressionStream, Response)
}

/** The globals of a page or a page's worker, as the agent uses them. Reads them when called, never at import. */
export function browserRuntime(): Runtime {
  return { ...pageRuntime(), gzip: browserGzip() }
}
