import { chmodSync, closeSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import { MetertapError } from '../../../wire/errors.ts'

/** All in one step: one consistent state of the write-ahead log, whatever is written meanwhile. */
const ALL_PAGES = 2 ** 31 - 1

/**
 * Copies a database that is in use, over a connection and on a thread of its own. The copy appears under its name only
 * when it is whole, and never in place of another file.
 *
 * @throws MetertapError bad_option when the path is taken or cannot be written
 */
export async function backUp(from: string, path: string): Promise<void> {
  const unfinished = `${path}.unfinished`
  try {
    // 'wx': two backups to one path do not write into each other.
    closeSync(openSync(unfinished, 'wx', 0o600))
    chmodSync(unfinished, 0o600)
  } catch (error) {
    throw cannotWrite(path, error)
  }
  const source = new DatabaseSync(from, { readOnly: true })
  try {
    await backup(source, unfinished, { rate: ALL_PAGES })
    syncFile(unfinished)
    // A link, not a rename: it fails when the name is taken.
    linkSync(unfinished, path)
  } catch (error) {
    throw cannotWrite(path, error)
  } finally {
    source.close()
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(unfinished + suffix, { force: true })
  }
}

function cannotWrite(path: string, cause: unknown): MetertapError {
  const message =
    'The backup was not made: give it a path that is not taken, in a folder with room that can be written.'
  return new MetertapError('bad_option', message, { path }, cause)
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
