import type { DatabaseSync } from 'node:sqlite'

/** Makes the function that replaces a secret if it is still what the caller read; false when it is not. */
export function createSwapSecret(db: DatabaseSync): (name: string, before: string, after: string) => boolean {
  const swap = db.prepare('UPDATE secrets SET value = ? WHERE name = ? AND value = ?')
  return (name, before, after) => swap.run(after, name, before).changes === 1
}
