import { readFileSync } from 'node:fs'
import { SingleBar } from 'cli-progress'
import { MetertapError } from '../../wire/errors.ts'
import { fillSecrets } from '../config/fill-secrets.ts'
import type { Command } from './args.ts'
import type { CliHost } from './host.ts'

/** Moves a SQLite store to PostgreSQL, with a progress bar on standard error. True when all of it is there and agrees. */
export async function copyStore(
  { from, to, schema }: Extract<Command, { kind: 'copy' }>,
  host: CliHost,
): Promise<boolean> {
  const url = to ?? addressFrom(host)
  const { copySqliteToPostgres } = await import('../store/copy/copy-sqlite-to-postgres.ts')
  const bar = new SingleBar({
    format: 'copying {bar} {percentage} % | {value} of {total} rows | {table}',
    ...{ stream: host.errStream, hideCursor: true, clearOnComplete: true },
  })
  let isShown = false
  const onProgress = ({ rows, total, table }: { rows: number; total: number; table: string }): void => {
    if (!isShown) bar.start(total, rows, { table })
    isShown = true
    bar.update(rows, { table })
  }
  try {
    const { rows, isResumed, problems } = await copySqliteToPostgres({ from, to: { url, schema }, onProgress })
    bar.stop()
    for (const problem of problems) host.writeOut(`${problem}\n`)
    const how = isResumed ? ', going on from an interrupted copy' : ''
    host.writeOut(`${problems.length === 0 ? 'ok' : 'failed'}: copied ${rows} rows${how}\n`)
    return problems.length === 0
  } finally {
    bar.stop()
  }
}

function addressFrom({ environment }: CliHost): string {
  const readFile = (path: string): string => readFileSync(path, 'utf8')
  const { filled, problems } = fillSecrets({ store: {} }, { environment, readFile })
  const { postgres } = (filled as { store: { postgres?: string } }).store
  if (postgres !== undefined) return postgres
  const message = problems[0] ?? 'Give the address with --to postgres://…, or as METERTAP_POSTGRES_URL.'
  throw new MetertapError('bad_option', message)
}
