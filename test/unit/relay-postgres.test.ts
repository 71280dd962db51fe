import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PassThrough } from 'node:stream'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseCommand } from '../../src/relay/cli/args.ts'
import { copyStore } from '../../src/relay/cli/copy-store.ts'
import type { CliHost } from '../../src/relay/cli/host.ts'
import { copySqliteToPostgres } from '../../src/relay/store/copy/copy-sqlite-to-postgres.ts'
import { openPostgresStore } from '../../src/relay/store/postgres/open-postgres-store.ts'
import { verifyPostgresStore } from '../../src/relay/store/postgres/verify-postgres-store.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { drain, event, events, ids, request, S1, S2, streamId, take } from '../contract/relay-store-kit.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { ADMIN_KEY, GRANT_SECRET } from '../support/relay-fixture.ts'

const NOW_MS = 1_700_000_100_000
let server: TestPostgres
let folder: string
let schemas = 0
const children: ChildProcess[] = []
beforeAll(async () => {
  server = await startPostgres()
  folder = mkdtempSync(join(tmpdir(), 'metertap-postgres-cli-'))
}, 60_000)
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

const newSchema = (): string => `cli_${schemas++}`
const open = (schema: string) => openPostgresStore({ url: server.url, schema, clock: () => NOW_MS, maxConnections: 4 })

/** A file with some of everything, closed. */
async function fillFile(): Promise<{
  path: string
  ledger: unknown
  totals: unknown
  hours: unknown
  backlog: unknown
}> {
  const path = join(folder, `${schemas++}.db`)
  const store = openSqliteStore({ path, clock: () => NOW_MS })
  await store.accept(request(events(0, 19)))
  await store.acceptDelivery((await take(store, { maxEvents: 5 }))?.id ?? '', NOW_MS)
  await store.buryDelivery((await take(store, { maxEvents: 3 }))?.id ?? '', 'x', 'y', NOW_MS)
  await store.parkDelivery((await take(store, { maxEvents: 2 }))?.id ?? '', 'why', NOW_MS)
  await store.postponeDelivery((await take(store, { maxEvents: 2 }))?.id ?? '', NOW_MS, 'later')
  await store.accept(request(events(30, 34), { hold: true }))
  const keyed = [0, 1].map((seq) => event(seq, { stream: S2, idempotencyKey: 'order 1' }))
  await store.accept(request(keyed))
  for (let n = 10; n < 1_210; n++) void store.accept(request(events(0, 1, { stream: streamId(n), meter: 'storage' })))
  await store.pauseLane('storage', 'not yet', NOW_MS)
  await store.revoke({ tenant: 'default', account: 'acme', beforeMs: 7 })
  await store.secret('signing-keys', async () => 'the keys')
  await store.useNonce('used', 1e15, NOW_MS)
  await store.setNote('a', 'b')
  const [ledger, totals] = [await store.ledger({ limit: 10_000 }), await store.totals()]
  const [hours, backlog] = [await store.ledgerByHour(), await store.backlog()]
  await store.close()
  return { path, ledger, totals, hours, backlog }
}

describe('a SQLite store copied to PostgreSQL', { timeout: 60_000 }, () => {
  test('is the same store', async () => {
    const { path, ledger, totals, hours, backlog } = await fillFile()
    const schema = newSchema()
    const progress: number[] = []
    const copied = await copySqliteToPostgres({
      ...{ from: path, to: { url: server.url, schema } },
      onProgress: ({ rows, total }) => progress.push(rows / total),
    })
    expect(copied).toMatchObject({ isResumed: false, problems: [] })
    expect(progress.at(-1)).toBe(1)
    const store = open(schema)
    expect(await store.totals()).toEqual(totals)
    expect(await store.ledger({ limit: 10_000 })).toEqual(ledger)
    expect(await store.ledgerByHour()).toEqual(hours)
    expect(await store.backlog()).toEqual(backlog)
    expect(await store.secret('signing-keys', async () => 'others')).toBe('the keys')
    expect(await store.useNonce('used', 1e15, NOW_MS)).toBe(false)
    expect(await store.revokedBefore({ tenant: 'default', account: 'acme' })).toBe(7)
    expect(await store.note('a')).toBe('b')
    // What was known stays known, by number and by key, and what comes is behind what was there.
    const again = [event(5), event(2, { stream: S2, idempotencyKey: 'order 1' }), event(40)]
    expect(await store.accept(request(again))).toMatchObject({ stored: 1, duplicates: 1, deduplicated: 1 })
    expect(await store.parkedDeliveries()).toMatchObject([{ events: ids(S1, 8, 9) }])
    await store.releaseHeld({ tenant: 'default', account: 'acme' })
    await store.replayDeadLetters({})
    const sent = await drain(store)
    expect(sent.slice(0, 10)).toEqual(ids(S1, 10, 19))
    expect(new Set(sent)).toEqual(
      new Set([...ids(S1, 5, 7), ...ids(S1, 10, 19), ...ids(S1, 30, 34), ...ids(S2, 0, 0), ...ids(S1, 40, 40)]),
    )
    await store.close()
    expect(await verifyPostgresStore({ url: server.url, schema })).toMatchObject({ ok: true })
  })

  test('goes on where it was interrupted, and refuses a file that has changed and a database in use', async () => {
    const { path } = await fillFile()
    const schema = newSchema()
    const to = { url: server.url, schema }
    const breakOff = ({ rows }: { rows: number }): void => {
      if (rows > 500) throw new Error('power cut')
    }
    await expect(copySqliteToPostgres({ from: path, to, onProgress: breakOff })).rejects.toMatchObject({
      code: 'internal',
    })
    const seen: number[] = []
    const result = await copySqliteToPostgres({ from: path, to, onProgress: ({ rows }) => seen.push(rows) })
    expect(result).toMatchObject({ isResumed: true, problems: [] })
    expect(seen[0]).toBeGreaterThan(1_000)
    const onProgress = (): void => {}
    await expect(copySqliteToPostgres({ from: path, to, onProgress })).rejects.toThrow(/copy is complete/)

    const half = { url: server.url, schema: newSchema() }
    await expect(copySqliteToPostgres({ from: path, to: half, onProgress: breakOff })).rejects.toThrow()
    const changed = openSqliteStore({ path, clock: () => NOW_MS })
    await changed.accept(request(events(50, 50)))
    await changed.close()
    await expect(copySqliteToPostgres({ from: path, to: half, onProgress })).rejects.toThrow(/has changed since/)

    // A relay that still runs on the file takes what is not in the copy.
    const running = openSqliteStore({ path, clock: () => NOW_MS })
    let isFirst = true
    const whileRunning = await copySqliteToPostgres({
      ...{ from: path, to: { url: server.url, schema: newSchema() } },
      onProgress() {
        if (isFirst) void running.accept(request(events(60, 60)))
        isFirst = false
      },
    })
    expect(whileRunning.problems).toEqual([expect.stringMatching(/has changed while it was copied/)])
    await running.close()

    const live = newSchema()
    const store = open(live)
    await store.accept(request(events(0, 0)))
    await store.close()
    const inUse = { from: path, to: { url: server.url, schema: live }, onProgress }
    await expect(copySqliteToPostgres(inUse)).rejects.toMatchObject({ code: 'bad_option' })
    const absent = { ...inUse, from: join(folder, 'absent.db') }
    await expect(copySqliteToPostgres(absent)).rejects.toMatchObject({ code: 'bad_option' })
  })
})

describe('the command line with PostgreSQL', { timeout: 60_000 }, () => {
  const secrets = {
    METERTAP_ZUORA_CLIENT_ID: 'client-id',
    METERTAP_ZUORA_CLIENT_SECRET: 'zuora-client-secret',
    METERTAP_GRANT_SECRET_APP: GRANT_SECRET,
    METERTAP_ADMIN_KEY: ADMIN_KEY,
  }

  function configFile(store: string): string {
    const file = join(folder, `config-${schemas++}.ts`)
    writeFileSync(
      file,
      `import { defineMeter, defineRelayConfig } from ${JSON.stringify(resolve('src/relay.ts'))}
      import * as z from ${JSON.stringify(import.meta.resolve('zod'))}
      export default defineRelayConfig({
        publicUrl: 'http://127.0.0.1:8787', listen: { port: 0 }, admin: { listen: { port: 0 } }, store: ${store},
        meters: [{ meter: defineMeter('calls', z.unknown()), upstream: { meterGlobalId: 'm', fields: { Id: 'id' } } }],
        upstream: { restBase: 'http://127.0.0.1:9' }, grants: [{ keyId: 'app' }], origins: [],
      })`,
    )
    return file
  }

  function run(...args: string[]) {
    const env = { ...process.env, ...secrets, METERTAP_POSTGRES_URL: server.url }
    const child = spawn(process.execPath, [resolve('src/cli.ts'), ...args], { cwd: folder, env })
    children.push(child)
    const output = { out: '', err: '' }
    child.stdout.on('data', (data) => (output.out += data))
    child.stderr.on('data', (data) => (output.err += data))
    const exit = new Promise<number | null>((done) => child.on('close', (code) => done(code)))
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(output.out + output.err)) {
        if (child.exitCode !== null) throw new Error(`ended: ${output.out}${output.err}`)
        await new Promise((done) => setTimeout(done, 20))
      }
    }
    return { child, output, exit, until }
  }

  test('migrates, checks, copies and verifies, and never tells the address', async () => {
    const { path } = await fillFile()
    const schema = newSchema()
    const config = configFile(`{ schema: '${schema}' }`)
    const outputs: string[] = []
    const done = async (...args: string[]) => {
      const { exit, output } = run(...args)
      const code = await exit
      outputs.push(output.out + output.err)
      return [code, output.out] as const
    }
    const [, before] = await done('relay', 'check', '-c', config)
    expect(before).toMatch(new RegExp(`ok {6}store PostgreSQL, schema ${schema} \\(server 18.*, to be migrated`))
    expect(await done('relay', 'migrate', '-c', config)).toEqual([0, 'migrated from version 0 to 1\n'])
    expect(await done('relay', 'migrate', '-c', config)).toEqual([0, 'nothing to do: version 1\n'])
    const [code, out] = await done('relay', 'copy', '--from', `sqlite:${path}`, '--to', 'postgres', '--schema', schema)
    expect([code, out]).toEqual([0, expect.stringMatching(/^ok: copied \d+ rows\n$/)])
    expect(await done('relay', 'verify', '-c', config)).toEqual([0, expect.stringMatching(/^ok: 1202 streams/)])
    expect((await done('relay', 'backup', join(folder, 'b.db'), '-c', config))[0]).toBe(1)
    expect(outputs.at(-1)).toMatch(/use pg_dump/)
    const wrong = server.url.replace('secret@', 'private@')
    expect((await done('relay', 'check', '-c', configFile(`{ postgres: '${wrong}' }`)))[0]).toBe(1)
    expect(outputs.at(-1)).toMatch(/failed {2}store PostgreSQL.*: PostgreSQL does not let the relay in/)
    expect(outputs.join()).not.toMatch(/private|:secret@/)
  })

  test('a copy that is killed in the middle of a transaction, in one table after the other, goes on each time', async () => {
    const { path, totals, ledger } = await fillFile()
    const schema = newSchema()
    expect(await run('relay', 'migrate', '-c', configFile(`{ schema: '${schema}' }`)).exit).toBe(0)
    const copy = () => run('relay', 'copy', '--from', `sqlite:${path}`, '--to', 'postgres', '--schema', schema)
    const blocker = new pg.Client(server.url)
    await blocker.connect()
    const reached: number[] = []
    for (const table of ['streams', 'chunks', 'dead_letters', 'revocations']) {
      // It comes as far as this table, and waits there with its transaction open.
      await blocker.query(`BEGIN; LOCK TABLE "${schema}".${table} IN EXCLUSIVE MODE`)
      const { child, exit } = copy()
      await expect
        .poll(() =>
          server.query(`SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '"${schema}".${table}'::regclass`),
        )
        .toHaveLength(1)
      child.kill('SIGKILL')
      expect(await exit).toBeNull()
      await blocker.query('ROLLBACK')
      const [mark] = await server.query<{ value: string }>(
        `SELECT value FROM "${schema}".notes WHERE name = 'copy from sqlite'`,
      )
      reached.push(mark === undefined ? 0 : (JSON.parse(mark.value) as { rows: number }).rows)
    }
    await blocker.end()
    expect(reached[0]).toBe(0)
    expect(reached, 'each came further').toEqual([...new Set(reached)].toSorted((a, b) => a - b))
    const last = copy()
    expect(await last.exit).toBe(0)
    expect(last.output.out).toMatch(/^ok: copied \d+ rows, going on from an interrupted copy\n$/)
    const store = open(schema)
    expect(await store.totals()).toEqual(totals)
    expect(await store.ledger({ limit: 10_000 })).toEqual(ledger)
    await store.close()
  })

  test('a copy shows how far it is, on a terminal', async () => {
    const { path } = await fillFile()
    const shown: string[] = []
    const errStream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 })
    errStream.on('data', (data) => shown.push(String(data)))
    const host = { errStream, writeOut: (text: string) => shown.push(text) } as unknown as CliHost
    const to = { to: server.url, schema: newSchema() }
    expect(await copyStore({ kind: 'copy', from: path, ...to }, host)).toBe(true)
    const text = shown.join('')
    expect(text).toMatch(/copying \S+ \d+ % \| \d+ of \d+ rows \| streams/)
    expect(text).toMatch(/ok: copied \d+ rows/)
    expect(text).not.toContain('secret')
  })

  test('workers share the port; one that dies is replaced; SIGTERM ends all', async () => {
    const relay = run('relay', '--workers', '2', '-c', configFile(`{ schema: '${newSchema()}' }`))
    await relay.until(/(listens on [\s\S]*){2}/)
    const urls = [...relay.output.out.matchAll(/listens on (http:[^\s,]+)/g)].map(([, url]) => url)
    expect(new Set(urls).size).toBe(1)
    expect((await fetch(`${urls[0]}/readyz`)).status).toBe(200)
    const pids = workersOf(relay.child.pid as number)
    expect(pids).toHaveLength(2)
    // A signal for all of a service's processes is for the first of them.
    process.kill(pids[1] as number, 'SIGUSR2')
    process.kill(pids[0] as number, 'SIGKILL')
    await relay.until(/(listens on [\s\S]*){3}/)
    expect((await fetch(`${urls[0]}/readyz`)).status).toBe(200)
    expect(workersOf(relay.child.pid as number)).toContain(pids[1])
    expect(relay.output.err).not.toContain('SIGUSR2')
    relay.child.kill('SIGTERM')
    expect(await relay.exit).toBe(0)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
  })

  test('SIGUSR2 replaces one worker after the other under load: nobody is turned away; a wrong configuration replaces none', async () => {
    const config = configFile(`{ schema: '${newSchema()}' }`)
    const relay = run('relay', '--workers', '2', '-c', config)
    await relay.until(/(listens on [\s\S]*){2}/)
    const [, url] = /listens on (\S+),/.exec(relay.output.out) ?? []
    const before = workersOf(relay.child.pid as number)
    const failures: unknown[] = []
    let answers = 0
    let isOver = false
    const probe = async (): Promise<void> => {
      while (!isOver) {
        await fetch(`${url}/.well-known/jwks.json`, { headers: { connection: 'close' } }).then(
          async (answer) => {
            await answer.arrayBuffer()
            if (answer.status === 200) answers++
            else failures.push(answer.status)
          },
          (error: unknown) => failures.push(error),
        )
      }
    }
    const load = Promise.all([probe(), probe(), probe()])
    relay.child.kill('SIGUSR2')
    await relay.until(/all workers are replaced/)
    isOver = true
    await load
    expect(failures).toEqual([])
    expect(answers).toBeGreaterThan(10)
    const after = workersOf(relay.child.pid as number)
    expect(after).toHaveLength(2)
    for (const pid of before) expect(after).not.toContain(pid)
    expect(relay.output.err).not.toMatch(/another starts/)

    writeFileSync(config, 'export default {}')
    relay.child.kill('SIGUSR2')
    await relay.until(/the new worker did not start/)
    expect(workersOf(relay.child.pid as number)).toEqual(after)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    relay.child.kill('SIGTERM')
    expect(await relay.exit).toBe(0)
  })

  test('workers end with the process that they belong to, however it ends', async () => {
    const relay = run('relay', '--workers', '2', '-c', configFile(`{ schema: '${newSchema()}' }`))
    await relay.until(/(listens on [\s\S]*){2}/)
    const pids = workersOf(relay.child.pid as number)
    relay.child.kill('SIGKILL')
    await relay.exit
    const living = (): number[] => pids.filter((pid) => existsSync(`/proc/${pid}/status`) && !isZombie(pid))
    await expect.poll(living).toEqual([])
  })

  test('whichever worker is asked for metrics, it answers for all, and for one that was killed', async () => {
    const relay = run('relay', '--workers', '3', '-c', configFile(`{ schema: '${newSchema()}' }`))
    await relay.until(/(listens on [\s\S]*){3}/)
    const [, url, adminUrl] = /listens on (\S+), for the operator on (\S+)/.exec(relay.output.out) ?? []
    /** One connection each, so that they go to the workers in turn. */
    const get = async (address: string): Promise<string> =>
      await (await fetch(address, { headers: { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close' } })).text()
    const scrape = async (): Promise<{ processes: number; probes: number; text: string }> => {
      const text = await get(`${adminUrl}/metrics`)
      const lines = text.split('\n')
      const figure = (name: string): number => Number(lines.find((line) => line.startsWith(name))?.split(' ')[1])
      const probes = figure('metertap_http_request_seconds_count{method="GET",route="/livez",status="200"}')
      return { processes: figure('metertap_relay_processes'), probes, text }
    }
    const probe = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n++) await get(`${url}/livez`)
    }
    await probe(30)
    for (let n = 0; n < 6; n++) expect(await scrape()).toMatchObject({ processes: 3, probes: 30 })
    const { text } = await scrape()
    expect(text.match(/^metertap_ledger_streams /gm), 'the store is asked once').toHaveLength(1)
    expect(text).toContain('metertap_lane_state{lane="calls",state="stopped"} 0')

    process.kill(workersOf(relay.child.pid as number)[0] as number, 'SIGKILL')
    await relay.until(/worker \d+ ended/)
    expect(await scrape()).toMatchObject({ processes: 2, probes: 30 })
    await relay.until(/(listens on [\s\S]*){4}/)
    await probe(30)
    await expect.poll(scrape).toMatchObject({ processes: 3, probes: 60 })
    relay.child.kill('SIGTERM')
    expect(await relay.exit).toBe(0)
  })

  test('workers on a SQLite file are refused', async () => {
    const relay = run('relay', '--workers', '2', '-c', configFile("{ sqlite: './usage.db' }"))
    expect(await relay.exit).toBe(1)
    expect(relay.output.err).toMatch(/--workers needs a PostgreSQL store/)
  })

  test.each([
    [['relay', 'copy'], /--from takes sqlite:FILE/],
    [['relay', 'copy', '--from', 'sqlite:a', '--to', 'mysql://x'], /--to takes postgres/],
    [['relay', 'copy', '--from', 'sqlite:a', '--to', 'postgres', '--schema', 'A b'], /--schema takes/],
    [['relay', 'copy', 'x'], /one argument too many/],
    [['relay', '--workers', '0'], /--workers takes/],
  ])('%j is not understood', (argv, problem) => {
    expect(parseCommand(argv)).toEqual({ kind: 'misuse', problem: expect.stringMatching(problem) })
  })
})

function workersOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

/** Ended, and not yet taken note of. */
function isZombie(pid: number): boolean {
  return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}
