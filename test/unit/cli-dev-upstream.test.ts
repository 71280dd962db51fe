import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { serve } from '../../demo/world/serve.ts'

const CLI = resolve('src/cli.ts')
const WAIT = { timeout: 30_000, interval: 50 }
const folder = mkdtempSync(join(tmpdir(), 'metertap-dev-'))
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function fileOf(text: string, ending: string): string {
  const file = join(folder, `file-${files++}.${ending}`)
  writeFileSync(file, text)
  return file
}

/** A configuration with one meter; its upstream is where DEV_UPSTREAM says. */
function configFile(route = "{ meterGlobalId: 'calls-id', fields: FIELDS }"): string {
  return fileOf(
    `
    import { defineMeter, defineRelayConfig } from ${JSON.stringify(resolve('src/relay.ts'))}
    import * as z from ${JSON.stringify(import.meta.resolve('zod'))}
    const calls = defineMeter('calls', z.object({ quantity: z.int(), feature: z.string().optional() }))
    const FIELDS = { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.quantity', Feature: 'data.feature' }
    export default defineRelayConfig({
      publicUrl: 'http://127.0.0.1:8787',
      store: { sqlite: './usage.db' },
      meters: [{ meter: calls, upstream: ${route} }],
      upstream: { restBase: process.env.DEV_UPSTREAM ?? '' },
      grants: [{ keyId: 'app' }],
      origins: [],
    })`,
    'ts',
  )
}

function run(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { ...process.env, ...variables } })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (data) => (said.out += data))
  child.stderr.on('data', (data) => (said.err += data))
  const exit = once(child, 'close').then(([code]: number[]) => code)
  return { child, said, exit }
}

async function freeAddress(): Promise<string> {
  const served = await serve(() => new Response())
  await served.close()
  return served.url
}

const CLIENT = { METERTAP_ZUORA_CLIENT_ID: 'dev', METERTAP_ZUORA_CLIENT_SECRET: 'dev-secret' }

describe('metertap dev-upstream', () => {
  test('listens where the upstream is, takes what the relay would send, prints it, and ends with 0', async () => {
    const url = await freeAddress()
    const environment = fileOf(`# here\nDEV_UPSTREAM=${url}\nMETERTAP_ZUORA_CLIENT_ID=lost\n`, 'env')
    const args = ['--config', configFile(), '--env', environment]
    // What is set goes before what the file says.
    const standIn = run(['dev-upstream', ...args], CLIENT)
    await expect.poll(() => standIn.said.out + standIn.said.err, WAIT).toContain(`listens on ${url}`)

    const form = { grant_type: 'client_credentials', client_id: 'dev', client_secret: 'dev-secret' }
    const granted = await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) })
    const { access_token } = (await granted.json()) as { access_token: string }
    const send = (row: object) =>
      fetch(`${url}/usage/bulk/calls-id`, {
        method: 'POST',
        headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
        body: JSON.stringify([row]),
      })
    const row = { CustomerId: 'a', UsageIdentifier: 'i-0', UsageDate: '2026-03-31T10:30:00Z', Quantity: 1 }
    expect((await send(row)).status).toBe(200)
    expect((await send(row)).status).toBe(200)
    expect((await send({ ...row, UsageIdentifier: 'i-1', Quantity: 'many' })).status).toBe(400)
    await expect.poll(() => standIn.said.out, WAIT).toContain(`calls-id ${JSON.stringify(row)}\n`)
    expect(standIn.said.out.match(/^calls-id /gm)).toHaveLength(1)

    standIn.child.kill('SIGTERM')
    expect(await standIn.exit).toBe(0)
    expect(standIn.said.out).not.toContain(CLIENT.METERTAP_ZUORA_CLIENT_SECRET)
  })

  test.each([
    ['https://rest.zuora.com', undefined, /upstream is https:\/\/rest\.zuora\.com, which is not on this machine/],
    ['http://127.0.0.1', undefined, /which is not on this machine: give upstream\.restBase such as http:\/\/127/],
    ['http://127.0.0.1:1', "{ url: 'https://a.example/u', fields: FIELDS }", /calls has an address of its own/],
  ])('with the upstream %s and the route %s it says why not', async (restBase, route, message) => {
    const { said, exit } = run(['dev-upstream', '--config', configFile(route)], { DEV_UPSTREAM: restBase })
    expect(await exit).toBe(1)
    expect(said.err).toMatch(message)
    expect(said.err).not.toMatch(/\n\s+at /)
  })

  test('a port in use', async () => {
    const other = await serve(() => new Response())
    const { said, exit } = run(['dev-upstream', '--config', configFile()], { DEV_UPSTREAM: other.url })
    expect(await exit).toBe(1)
    await other.close()
    expect(said.err).toMatch(/The stand-in cannot listen on 127\.0\.0\.1:\d+: free it, or change upstream\.restBase/)
  })

  test('a file of variables that is not there', async () => {
    const { said, exit } = run(['meters', '--config', configFile(), '--env', 'nowhere.env'])
    expect(await exit).toBe(1)
    expect(said.err).toMatch(/--env: nowhere\.env cannot be read/)
  })
})
