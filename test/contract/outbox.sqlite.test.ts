import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openTestOutbox } from '../support/sqlite-home.ts'
import { outboxContract } from './outbox.ts'

const folder = mkdtempSync(join(tmpdir(), 'metertap-outbox-'))
let opened = 0
afterAll(() => rmSync(folder, { recursive: true, force: true }))

outboxContract('outbox in SQLite (node:sqlite)', async () => {
  const path = join(folder, `${++opened}.db`)
  const outbox = openTestOutbox(path)
  const reopen = async () => {
    await outbox.close()
    return openTestOutbox(path)
  }
  return { outbox, reopen }
})
