import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { parseCommand } from '../../src/relay/cli/args.ts'
import { loadConfig } from '../../src/relay/cli/load-config.ts'
import { createLog } from '../../src/relay/cli/log-lines.ts'
import { createGrant, MetertapError } from '../../src/relay.ts'
import { ADMIN_KEY, batchOf, GRANT_SECRET } from '../support/relay-fixture.ts'

const CLI = resolve('src/cli.ts')
const folder = mkdtempSync(join(tmpdir(), 'metertap-cli-'))
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Run {
  readonly child: ChildProcess
  readonly output: { out: string; err: string }
  readonly exit: Promise<number | null>
  /** Waits for the line that says where it listens. */
  ready(): Promise<string>
}

function run(args: string[], environment: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { ...process.env, ...environment } })
  children.push(child)
  const output = { out: '', err: '' }
  child.stdout.on('data', (data) => (output.out += data))
  child.stderr.on('data', (data) => (output.err += data))
  const exit = new Promise<number | null>((done) => child.on('close', (code) => done(code)))
  return {
    child,
    output,
    exit,
    async ready() {
      for (let tries = 0; tries < 500; tries++) {
        const url = /listens on (http:[^\s,]+)/.exec(output.out)?.[1]
        if (url) return url
        if (child.exitCode !== null) break
        await new Promise((done) => setTimeout(done, 20))
      }
      throw new Error(`not ready: ${output.out}${output.err}`)
    },
  }
}

let files = 0
function configFile(text: string, ending = 'ts'): string {
  const file = join(folder, `config-${files++}.${ending}`)
  writeFileSync(file, text)
  return file
}

function goodConfig(changes = ''): string {
  return configFile(`
    import { defineMeter, defineRelayConfig } from ${JSON.stringify(resolve('src/relay.ts'))}
    import * as z from ${JSON.stringify(import.meta.resolve('zod'))}
    const calls = defineMeter('calls', z.object({ quantity: z.number() }))
    const port: number = 0
    export default {
      ...defineRelayConfig({
        publicUrl: 'http://127.0.0.1:8787',
        listen: { port },
        admin: { listen: { port } },
        store: { sqlite: './usage-${files}.db' },
        meters: [{ meter: calls, upstream: { meterGlobalId: 'm', fields: { UsageIdentifier: 'id' } } }],
        upstream: { restBase: 'http://127.0.0.1:9' },
        grants: [{ keyId: 'app' }],
        origins: [],
      }),
      ${changes}
    }`)
}

const secrets = {
  METERTAP_ZUORA_CLIENT_ID: 'client-id',
  METERTAP_ZUORA_CLIENT_SECRET: 'zuora-client-secret',
  METERTAP_GRANT_SECRET_APP: GRANT_SECRET,
  METERTAP_ADMIN_KEY: ADMIN_KEY,
}

describe('metertap relay', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('runs, answers, and ends with 0 on %s', async (signal) => {
    const relay = run(['relay', '--config', goodConfig()], secrets)
    const url = await relay.ready()
    const adminUrl = /operator on (http:\S+) /.exec(relay.output.out)?.[1]
    expect(relay.output.out).toBe(
      `metertap relay ${packageJson.version} listens on ${url}, for the operator on ${adminUrl} (a page: ${adminUrl}/console)\n`,
    )
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
    expect((await fetch(`${adminUrl}/v1/ledger`, { headers })).status).toBe(200)
    expect((await fetch(`${url}/v1/ledger`, { headers })).status, 'not on the agents’ port').toBe(404)
    const refusal = await fetch(`${url}/v1/events`, { method: 'POST', body: JSON.stringify(batchOf([])) })
    expect(refusal.status).toBe(415)
    relay.child.kill(signal)
    expect(await relay.exit).toBe(0)
    for (const secret of Object.values(secrets)) expect(relay.output.out + relay.output.err).not.toContain(secret)
  })

  test('a second signal ends it at once', async () => {
    const relay = run(['relay', '--config', goodConfig()], secrets)
    const url = new URL(await relay.ready())
    // An open request keeps the drain waiting.
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{')) })
    const headers = { 'Content-Type': 'application/json' }
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
    fetch(new URL('/v1/token', url), init).catch(() => {})
    await new Promise((done) => setTimeout(done, 300))
    relay.child.kill('SIGTERM')
    await new Promise((done) => setTimeout(done, 300))
    expect(relay.child.exitCode).toBe(null)
    const begunMs = performance.now()
    relay.child.kill('SIGTERM')
    expect(await relay.exit).toBe(1)
    expect(performance.now() - begunMs).toBeLessThan(2000)
  })

  test('--port goes before the configuration', async () => {
    const probe = createTcpServer().listen(0, '127.0.0.1')
    await new Promise((done) => probe.once('listening', done))
    const { port } = probe.address() as AddressInfo
    await new Promise((done) => probe.close(done))
    const relay = run(['relay', '-c', goodConfig(), '-p', String(port)], secrets)
    expect(await relay.ready()).toBe(`http://127.0.0.1:${port}`)
  })

  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((done) => other.once('listening', done))
    const { port } = other.address() as AddressInfo
    const relay = run(['relay', '--config', goodConfig(), '--port', String(port)], secrets)
    expect(await relay.exit).toBe(1)
    other.close()
    expect(relay.output.err).toContain(`Cannot listen on 127.0.0.1:${port}: it is in use`)
    expect(relay.output.err, 'an error of use has no stack').not.toMatch(/\n\s+at /)
  })

  const mistakes: [name: string, file: () => string, message: RegExp][] = [
    ['a missing file', () => './nowhere.ts', /There is no file .*nowhere\.ts: give its path with --config/],
    ['a folder', () => '.', /There is no file/],
    ['no default export', () => configFile('export const config = {}'), /has no default export: write "export default/],
    ['a syntax error', () => configFile('export default {', 'mjs'), /cannot be loaded: /],
    [
      'a configuration that throws',
      () => configFile('throw new Error("no vault")', 'mjs'),
      /cannot be loaded: no vault/,
    ],
    [
      'two bad keys',
      () => goodConfig('origins: "x", tokenLifeS: 1'),
      /does not fit:\n {2}- origins .*\n {2}- tokenLifeS /,
    ],
    [
      'a store without a folder',
      () => goodConfig('store: { sqlite: "./no/such/folder/usage.db" }'),
      /store cannot be opened: .*\n.*ENOENT/,
    ],
    ['a store that is a folder', () => goodConfig('store: { sqlite: "." }'), /store cannot be opened/],
    [
      'a default that is no object',
      () => configFile('export default 7'),
      /the configuration does not fit: give an object/,
    ],
  ]
  test.each(mistakes)('%s', async (_name, file, message) => {
    const relay = run(['relay', '--config', file()], secrets)
    expect(await relay.exit).toBe(1)
    expect(relay.output.err).toMatch(message)
    expect(relay.output.err).not.toMatch(/\n\s+at /)
    expect(relay.output.out).toBe('')
  })

  test('a store file that may not be written', async () => {
    const file = join(folder, 'text.db')
    writeFileSync(file, 'this is no database, it is text of some length'.repeat(100))
    chmodSync(file, 0o600)
    const relay = run(['relay', '--config', goodConfig('store: { sqlite: "./text.db" }')], secrets)
    expect(await relay.exit).toBe(1)
    expect(relay.output.err).toMatch(/store cannot be opened/)
  })

  test('missing secrets name their variables', async () => {
    const relay = run(['relay', '--config', goodConfig()])
    expect(await relay.exit).toBe(1)
    for (const variable of ['METERTAP_ZUORA_CLIENT_ID', 'METERTAP_ZUORA_CLIENT_SECRET', 'METERTAP_GRANT_SECRET_']) {
      expect(relay.output.err).toContain(variable)
    }
  })
})

describe('metertap relay check', () => {
  async function checkWith(
    answer: (path: string) => [status: number, body: unknown],
  ): Promise<Run & { paths: string[] }> {
    const paths: string[] = []
    const upstream = createServer((request, response) => {
      paths.push(request.url ?? '')
      const [status, body] = answer(request.url ?? '')
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    }).listen(0, '127.0.0.1')
    await new Promise((done) => upstream.once('listening', done))
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    const config = goodConfig(`
      upstream: { restBase: '${url}' },
      sessions: [{ issuer: 'https://login.example.com', audience: 'usage', jwksUrl: '${url}/jwks', meters: ['calls'] }],`)
    const check = run(['relay', 'check', '--config', config], secrets)
    await check.exit
    upstream.close()
    return { ...check, paths }
  }

  test('says that all is well, having asked for a token and the keys only', async () => {
    const check = await checkWith((path) => [
      200,
      path === '/jwks' ? { keys: [{}] } : { access_token: 't', expires_in: 9 },
    ])
    expect(await check.exit).toBe(0)
    expect(check.output.out).toMatch(
      /^ok {6}configuration .*\nok {6}store .*\nok {6}upstream .*\nok {6}session keys of .*\n$/,
    )
    expect(check.paths.toSorted()).toEqual(['/jwks', '/oauth/token'])
  })

  test('says what is wrong, without a secret', async () => {
    const check = await checkWith((path) =>
      path === '/jwks' ? [200, { keys: [] }] : [401, { error: 'invalid_client' }],
    )
    expect(await check.exit).toBe(1)
    expect(check.output.out).toMatch(/^ok {6}configuration/)
    expect(check.output.out).toMatch(/^failed {2}upstream .*401.*clientSecret/m)
    expect(check.output.out).toMatch(/^failed {2}session keys of https:\/\/login\.example\.com: .* holds no keys$/m)
    for (const secret of Object.values(secrets)) expect(check.output.out + check.output.err).not.toContain(secret)
  })

  test('a store without a folder', async () => {
    const check = run(['relay', 'check', '-c', goodConfig('store: { sqlite: "./no/such/usage.db" }')], secrets)
    expect(await check.exit).toBe(1)
    expect(check.output.out).toMatch(/^failed {2}store \.\/no\/such\/usage\.db: its folder/m)
  })

  test('a configuration that does not fit', async () => {
    const check = run(['relay', 'check', '-c', goodConfig('tokenLifeS: 1')], secrets)
    expect(await check.exit).toBe(1)
    expect(check.output.err).toMatch(/- tokenLifeS does not fit/)
  })
})

describe('metertap relay backup and verify', () => {
  test('a copy of a store in use is whole', async () => {
    const config = goodConfig()
    const relay = run(['relay', '--config', config], secrets)
    const url = await relay.ready()
    const owner = { account: 'acme', device: 'd', meters: ['calls'] }
    const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, ...owner })
    const json = { 'Content-Type': 'application/json' }
    const swap = await fetch(`${url}/v1/token`, { method: 'POST', headers: json, body: JSON.stringify({ grant }) })
    const { token } = (await swap.json()) as { token: string }
    const body = JSON.stringify(batchOf([['calls', Date.now(), { quantity: 1 }]]))
    const sent = await fetch(`${url}/v1/events`, {
      ...{ method: 'POST', headers: { ...json, Authorization: `Bearer ${token}` }, body },
    })
    expect(sent.status).toBe(200)

    const copy = join(folder, 'copy.db')
    const backup = run(['relay', 'backup', copy, '--config', config], secrets)
    expect(await backup.exit, backup.output.err).toBe(0)
    const verify = run(['relay', 'verify', copy])
    expect(await verify.exit).toBe(0)
    expect(verify.output.out).toBe('ok: 1 streams, 1 events on their way\n')

    const again = run(['relay', 'backup', copy, '--config', config], secrets)
    expect(await again.exit, 'no file is written over').toBe(1)

    const db = new DatabaseSync(copy)
    db.exec('DELETE FROM chunks')
    db.close()
    const damaged = run(['relay', 'verify', copy])
    expect(await damaged.exit).toBe(1)
    expect(damaged.output.out).toMatch(/\nfailed: 1 streams, 0 events on their way\n$/)
  })

  test('a file that is no store', async () => {
    const verify = run(['relay', 'verify', configFile('export default {}')])
    expect(await verify.exit).toBe(1)
    expect(verify.output.err).toMatch(/is no store of this version/)
  })
})

describe('metertap meters', () => {
  test('prints event definition and Deduplicator, without needing a secret', async () => {
    const config = goodConfig(`meters: [{ meter: calls, upstream: { meterGlobalId: 'm-1', fields: {
      UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity', Region: () => 'x' } } }],`)
    const meters = run(['meters', '--config', config])
    expect(await meters.exit).toBe(0)
    expect(meters.output.out).toBe(`Meter calls → the meter with global id m-1
  Source: Streaming API with this event definition
    UsageIdentifier  String    required   id
    CustomerId       String    required   account
    UsageDate        DateTime  required   at, as yyyy-MM-ddTHH:mm:ssZ
    Quantity         Number    required   data.quantity
    Region           unknown   required   a function
  Event id: UsageIdentifier
  Event time: UsageDate
  First processor: Deduplicator
    Method: Specific Fields match, on UsageIdentifier alone
    Reference time: Processing Time (a retry has the same event time, however late it comes)
    Strategy: Rolling Duration of 30 days, as dedupWindowDays says; no reset on a duplicate
  Types that are unknown here come from a function or a schema without JSON Schema: set what it returns.
`)
  })
})

describe('the command line', () => {
  test('--help and --version', async () => {
    const help = run(['--help'])
    expect(await help.exit).toBe(0)
    expect(help.output.out).toMatch(/^metertap: .*\n\nUsage\n {2}metertap init \[--framework/)
    const version = run(['--version'])
    expect(await version.exit).toBe(0)
    expect(version.output.out).toBe(`${packageJson.version}\n`)
  })

  test('what is not understood shows the help and exits with 2', async () => {
    const unknown = run(['realy'])
    expect(await unknown.exit).toBe(2)
    expect(unknown.output.err).toMatch(/^There is no command "realy"\.\n\nmetertap: /)
    expect(unknown.output.out).toBe('')
  })

  test.each([
    [[], /command is missing/],
    [['relay', 'more'], /"more" is one argument too many/],
    [['relay', 'check', 'more'], /"more" is one argument too many/],
    [['relay', 'backup'], /backup needs a FILE/],
    [['relay', 'migrate', 'x'], /one argument too many/],
    [['relay', 'backup'], /backup needs a FILE/],
    [['relay', 'verify', 'a', 'b'], /"b" is one argument too many/],
    [['meters', 'more'], /"more" is one argument too many/],
    [['relay', '--port', 'x'], /--port/],
    [['relay', '--admin-port', 'x'], /--admin-port/],
    [['relay', '--port', '70000'], /--port/],
    [['relay', '--log', 'xml'], /--log/],
    [['relay', '--colour'], /--colour/],
  ])('%j', (argv, problem) => {
    expect(parseCommand(argv)).toEqual({ kind: 'misuse', problem: expect.stringMatching(problem) })
  })

  test('what is understood', () => {
    expect(parseCommand(['relay'])).toEqual({
      kind: 'relay',
      config: 'relay.config.ts',
      port: undefined,
      adminPort: undefined,
      log: 'plain',
      workers: 1,
    })
    expect(parseCommand(['relay', '-c', 'a.mjs', '-p', '0', '--admin-port', '1', '--log', 'json'])).toEqual({
      kind: 'relay',
      config: 'a.mjs',
      port: 0,
      adminPort: 1,
      log: 'json',
      workers: 1,
    })
  })

  test('a .ts configuration on a Node.js that cannot run it', async () => {
    const file = configFile('export default {}')
    await expect(loadConfig(file, { canRunTypeScript: false })).rejects.toThrow(/from version 22\.18 on: .*\.mjs/)
  })
})

describe('log lines', () => {
  const error = new MetertapError('internal', 'The store failed.', { secret: 'hidden' }, new Error('disk full'))
  const write = (format: 'plain' | 'json'): string => {
    let text = ''
    createLog(
      format,
      (line) => (text += line),
      () => 0,
    )('error', 'store_failed', { error, rows: 2, lane: 'a b' })
    return text
  }

  test('plain', () => {
    expect(write('plain')).toBe(
      '1970-01-01T00:00:00.000Z error store_failed error="MetertapError [internal]: The store failed. (cause: Error: disk full)" rows=2 lane="a b"\n',
    )
  })

  test.each(['plain', 'json'] as const)('a field that should not be there is blotted out: %s', (format) => {
    let text = ''
    const log = createLog(
      format,
      (line) => (text += line),
      () => 0,
    )
    log('warn', 'odd', { token: 'tell-tale', data: { a: 'tell-tale' }, lane: 'calls' })
    expect(text).toMatch(/redacted.*calls/)
    expect(text).not.toContain('tell-tale')
  })

  test('json', () => {
    expect(JSON.parse(write('json'))).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'error',
      event: 'store_failed',
      error: 'MetertapError [internal]: The store failed. (cause: Error: disk full)',
      rows: 2,
      lane: 'a b',
    })
  })
})
