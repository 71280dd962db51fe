import { readFileSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { MetertapError } from '../../wire/errors.ts'
import { type RelaySettings, resolveConfig } from '../config/resolve-config.ts'
import type { PostgresOptions } from '../contract.ts'
import { createTokenSource } from '../forward/token-source.ts'
import type { CliHost } from './host.ts'
import { loadConfig } from './load-config.ts'

const TIMEOUT_MS = 15_000

interface Finding {
  readonly subject: string
  /** Undefined: all is well. */
  readonly problem: string | undefined
}

/**
 * Tests what a relay needs from outside, one line each, and sends no event. True when all is well.
 *
 * Errors: MetertapError bad_option when the configuration does not fit.
 */
export async function checkRelay(path: string, host: CliHost): Promise<boolean> {
  const config = await loadConfig(path, host)
  const readFile = (file: string): string => readFileSync(file, 'utf8')
  const settings = resolveConfig(config, { environment: host.environment, readFile })
  const findings: Finding[] = [
    { subject: `configuration ${path}`, problem: undefined },
    await checkStore(settings),
    await checkUpstream(settings, host),
    ...(await Promise.all(settings.sessions.map((session) => checkKeys(session, host)))),
  ]
  for (const { subject, problem } of findings) {
    host.writeOut(problem === undefined ? `ok      ${subject}\n` : `failed  ${subject}: ${problem}\n`)
  }
  return findings.every(({ problem }) => problem === undefined)
}

async function checkStore({ store }: RelaySettings): Promise<Finding> {
  if (!('sqlite' in store)) return checkPostgres(store)
  const subject = `store ${store.sqlite}`
  const canWrite = await access(dirname(resolve(store.sqlite)), constants.W_OK).then(
    () => true,
    () => false,
  )
  return { subject, problem: canWrite ? undefined : 'its folder does not exist or may not be written to' }
}

/** Whether the database lets the relay in, and what it holds. Changes nothing; the address is a secret. */
async function checkPostgres(store: PostgresOptions): Promise<Finding> {
  const { inspectPostgres } = await import('../store/postgres/inspect-postgres.ts')
  const schema = store.schema ?? 'metertap'
  try {
    const { problem, summary } = await inspectPostgres({ url: store.postgres, schema })
    return { subject: `store PostgreSQL, schema ${schema}${summary === undefined ? '' : ` (${summary})`}`, problem }
  } catch (error) {
    return {
      subject: `store PostgreSQL, schema ${schema}`,
      problem: error instanceof MetertapError ? error.message : 'it cannot be used',
    }
  }
}

/** Asks for an OAuth token, as the forwarder does, and throws it away. */
async function checkUpstream({ upstream }: RelaySettings, { fetch, clock }: CliHost): Promise<Finding> {
  const subject = `upstream ${upstream.restBase}`
  const tokens = createTokenSource({
    ...upstream,
    restBase: upstream.restBase.replace(/\/+$/, ''),
    clock,
    fetch,
    timer: (callback, delayMs) => {
      const timeout = setTimeout(callback, delayMs)
      return () => clearTimeout(timeout)
    },
    timeoutMs: upstream.timeoutMs ?? TIMEOUT_MS,
    stopped: new AbortController().signal,
  })
  const result = await tokens.get()
  return { subject, problem: result.kind === 'token' ? undefined : result.reason }
}

async function checkKeys({ issuer, jwksUrl }: RelaySettings['sessions'][number], { fetch }: CliHost): Promise<Finding> {
  const subject = `session keys of ${issuer}`
  try {
    const response = await fetch(jwksUrl, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (response.status !== 200) return { subject, problem: `${jwksUrl} answers with status ${response.status}` }
    const { keys } = (await response.json()) as { keys?: unknown }
    const hasKeys = Array.isArray(keys) && keys.length > 0
    return { subject, problem: hasKeys ? undefined : `${jwksUrl} holds no keys` }
  } catch {
    return { subject, problem: `${jwksUrl} cannot be fetched as JSON` }
  }
}
