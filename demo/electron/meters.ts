import * as z from 'zod'
import { defineMeter } from '../../src/electron-renderer.ts'

/** Known to the main process and to the page alike. */
export const pagesExported = defineMeter(
  'pages_exported',
  z.object({ format: z.enum(['pdf', 'png']), pages: z.int().positive() }),
)
