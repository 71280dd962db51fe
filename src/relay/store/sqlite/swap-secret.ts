import type { Sqlite } from '../../../sqlite/contract.ts'

/** Makes the function that replaces a secret if it is still what the caller read; false when it is not. */
export function createSwapSecret(db: Sqlite): (name: string, before: string, after: string) => boolean {
  const swap = db.prepare('UPDATE secrets SET value = ? WHERE name = ? AND value = ?')
  return (name, before, after) => swap.run(after, name, before).changes === 1
}
