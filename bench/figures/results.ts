import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ReportFile } from '../contract.ts'

const FOLDER = join(import.meta.dirname, '../results')

/** The committed reports: one file for each run, of whatever name. */
export function readResults(folder: string = FOLDER): ReportFile[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return files.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as ReportFile)
}
