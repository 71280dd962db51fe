import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verifyStore } from '../../src/relay/store/sqlite/verify-store.ts'
import { ADMIN_KEY, batchOf, goodEvent, openTestRelay } from '../support/relay-fixture.ts'

test('a backup is made under a name of the relay’s own, and is whole', async () => {
  const backups = mkdtempSync(join(tmpdir(), 'metertap-backups-'))
  const relay = await openTestRelay({ admin: { key: ADMIN_KEY, backupFolder: backups } })
  await relay.send(batchOf([goodEvent()]))
  const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
  const answer = await relay.adminRequest('/v1/backup', { method: 'POST', headers })
  const { file } = (await answer.json()) as { file: string }
  expect(readdirSync(backups)).toEqual([file])
  expect(await verifyStore(join(backups, file))).toMatchObject({ ok: true, streams: 1, eventsOnTheWay: 1 })
  await relay.close()
  rmSync(backups, { recursive: true })
})
