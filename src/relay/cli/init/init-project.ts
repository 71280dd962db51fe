import { readFile, stat, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MetertapError } from '../../../wire/errors.ts'
import type { CliHost } from '../host.ts'
import type { Draft, Framework } from './contract.ts'
import { draftsFor, ignoredFor } from './drafts.ts'
import { LINES } from './lines.ts'

/**
 * Writes the files of a project that are not there yet, says what it did, and prints the lines that record.
 *
 * Errors: MetertapError bad_option when a file cannot be written.
 */
export async function initProject(
  { framework, isDryRun }: { readonly framework: Framework; readonly isDryRun: boolean },
  host: CliHost,
): Promise<void> {
  for (const draft of draftsFor(framework, host.createSecret)) {
    const isNew = isDryRun ? !(await exists(draft.name)) : await writeNew(draft)
    const verb = isNew ? (isDryRun ? 'would write' : 'wrote') : 'kept'
    const about = isNew ? draft.about : await whatIsThere(draft, framework)
    host.writeOut(`${verb.padEnd(isDryRun ? 11 : 5)}  ${draft.name.padEnd(15)}  ${about}\n`)
  }
  const { intro, code, page } = LINES[framework]
  host.writeOut(
    `\n${intro}:\n\n${code.replaceAll(/^(?=.)/gm, '  ')}\nHow to go on: node_modules/metertap/docs/${page}\n`,
  )
}

const exists = (name: string): Promise<boolean> => stat(name).then(() => true, isMissing)

function isMissing(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOENT') return false
  throw cannot('look at', error)
}

/** False: there is something of that name, and it is left alone. */
async function writeNew({ name, text, isSecret = false }: Draft): Promise<boolean> {
  try {
    await writeFile(name, text, { flag: 'wx', mode: isSecret ? 0o600 : 0o666 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw cannot('write', error as NodeJS.ErrnoException)
  }
}

function cannot(verb: string, error: NodeJS.ErrnoException): MetertapError {
  const file = resolve(error.path ?? '.')
  return new MetertapError('bad_option', `init cannot ${verb} ${file}: run it in a folder that is yours.`, {}, error)
}

async function whatIsThere({ name }: Draft, framework: Framework): Promise<string> {
  if (name !== '.gitignore') return 'it was there already'
  const lines = (await readFile(name, 'utf8').catch(() => '')).split(/\r?\n/).map((line) => line.trim())
  const missing = ignoredFor(framework).filter((line) => !lines.includes(line))
  return missing.length === 0 ? 'it was there already' : `it was there already: add ${missing.join(' and ')}`
}
