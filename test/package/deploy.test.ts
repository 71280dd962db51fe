import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createGrant } from '../../src/relay.ts'
import {
  instruction,
  instructionsIn,
  moveConfig,
  openProject,
  type Running,
  SECRETS,
  startWords,
} from './support/deployed.ts'

const DOCKERFILE = 'docs/deploy/Dockerfile'
const COMPOSE = 'docs/deploy/compose.yaml'
const UNIT = 'docs/deploy/metertap-relay.service'

let folder: string
let port: number

beforeAll(async () => {
  if (!existsSync('dist/index.js')) throw new Error('There is nothing to pack: run `npm run build` first.')
  folder = mkdtempSync(join(tmpdir(), 'metertap-deploy-'))
  await openProject(folder)
  port = await freePort()
  moveConfig(folder, port)
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: free } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return free
}

function linesOf(name: string): string[] {
  const lines = readFileSync(UNIT, 'utf8').split('\n')
  return lines.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1))
}

/** It listens, swaps a grant for a token, and ends with 0 by SIGTERM. */
async function expectServes(relay: Running, whileItRuns: () => Promise<void> = async () => {}): Promise<void> {
  try {
    await expect.poll(relay.said, { timeout: 30_000 }).toContain('listens on')
    const secret = 'grant_app'.repeat(8)
    const grant = await createGrant({ keyId: 'app', secret, account: 'a', device: 'd', meters: ['api_calls'] })
    const answer = await fetch(`http://127.0.0.1:${port}/v1/token`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ grant }) },
    })
    expect(answer.status).toBe(200)
    await whileItRuns()
    relay.kill('SIGTERM')
    expect(await relay.ended, relay.said()).toBe(0)
  } finally {
    relay.kill('SIGKILL')
  }
}

describe(DOCKERFILE, () => {
  test('its command runs, is healthy, and ends by SIGTERM', async () => {
    const variables: Record<string, string> = parse(readFileSync(COMPOSE, 'utf8')).services.relay.environment
    const environment = Object.fromEntries(
      Object.entries(variables).map(([name, file]) => [name, file.replace('/run/secrets', join(folder, 'secrets'))]),
    )
    const healthcheck = JSON.parse(instruction(DOCKERFILE, 'HEALTHCHECK').replace(/^.*?CMD /, '')) as string[]
    const isHealthy = () =>
      startWords(
        healthcheck.map((word) => word.replace(':8787', `:${port}`)),
        folder,
        {},
      ).ended
    const relay = startWords(JSON.parse(instruction(DOCKERFILE, 'CMD')), folder, environment)
    await expectServes(relay, async () => expect(await isHealthy()).toBe(0))
    expect(await isHealthy()).toBe(1)
  })

  test('copies what there is, and runs as a user who owns the volume alone', () => {
    const files = instructionsIn(DOCKERFILE).flatMap(
      (line) => /^COPY (?!--from)(.+) \.\/$/.exec(line)?.[1]?.split(' ') ?? [],
    )
    for (const file of files) expect(existsSync(join(folder, file)), file).toBe(true)
    expect(instruction(DOCKERFILE, 'USER')).toBe('node')
    const lines = instructionsIn(DOCKERFILE)
    expect(lines.findIndex((line) => line.startsWith('RUN mkdir /data'))).toBeLessThan(lines.indexOf('VOLUME /data'))
  })
})

test(`${COMPOSE} names secrets that the relay gets, and a grace period that is long enough`, () => {
  const { services, secrets } = parse(readFileSync(COMPOSE, 'utf8'))
  expect(Object.keys(secrets)).toEqual(SECRETS)
  expect(services.relay.secrets).toEqual(SECRETS)
  expect(Object.values(services.relay.environment)).toEqual(SECRETS.map((name) => `/run/secrets/${name}`))
  expect(Number.parseInt(services.relay.stop_grace_period, 10)).toBeGreaterThanOrEqual(45)
})

test(`${UNIT}: what it starts runs with its credentials, and ends by SIGTERM`, async () => {
  const credentials = linesOf('LoadCredential').map((line) => line.split(':')[0])
  expect(credentials).toEqual(SECRETS)
  const environment = Object.fromEntries(
    linesOf('Environment').map((line) => {
      const [name = '', value = ''] = line.split('=')
      return [name, value.replace('%d', join(folder, 'secrets'))]
    }),
  )
  const [command = ''] = linesOf('ExecStart')
  await expectServes(startWords(command.replaceAll('/opt/usage-relay', folder).split(' '), folder, environment))
})
