import { existsSync, renameSync } from 'node:fs'

/** What belongs to one database: itself, its log, the log's index. The index is made anew from the log. */
const SUFFIXES = ['', '-wal', '-shm']

/** Renames a damaged database, its log with it, to `<path>.damaged-<time>`; gives that name. */
export function setAside(path: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '')
  let aside = `${path}.damaged-${time}`
  for (let nth = 2; existsSync(aside); nth++) aside = `${path}.damaged-${time}-${nth}`
  for (const suffix of SUFFIXES) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  return aside
}
