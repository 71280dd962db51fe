/** Writes docs/errors.md anew from the catalogue. */
import { writeFileSync } from 'node:fs'
import { toMarkdown } from '../../src/relay/cli/explain/explain.ts'

writeFileSync('docs/errors.md', toMarkdown())
