import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import type { ZuoraStandIn, ZuoraStandInOptions } from './contract.ts'
import { createErrorWriter } from './error-bodies.ts'
import { createFaultEngine } from './faults.ts'
import { createLedger } from './ledger.ts'
import { createCallMeterer, createTokenMeterer, limitsOf } from './limits.ts'
import { createTokenService } from './oauth.ts'
import { createRoutes } from './routes.ts'

/**
 * Starts a strict stand-in for Zuora Mediation on the loopback, able to misbehave on request.
 *
 * Throws TypeError for a meter whose key fields are not required, ZodError for a rule that is none; rejects when the
 * port is taken.
 *
 * @example
 * const zuora = await startZuoraStandIn({
 *   clients: [{ clientId: 'relay', clientSecret: 'secret' }],
 *   meters: [{ id: 'api-calls', fields: { UsageIdentifier: { type: 'string' }, Quantity: { type: 'number' } },
 *              deduplicator: { field: 'UsageIdentifier' } }],
 * })
 * zuora.faults.set([{ kind: 'status', status: 503, times: 3 }])
 * zuora.ledger.totals('api-calls').billable
 * await zuora.close()
 */
export async function startZuoraStandIn(options: ZuoraStandInOptions): Promise<ZuoraStandIn> {
  const now = options.now ?? Date.now
  const limits = limitsOf(options.environment ?? 'production', options.limits)
  const writeError = createErrorWriter(options.errorBodies ?? 'rotate')
  const faults = createFaultEngine(options.seed ?? 1, options.faults)
  const { keepRows = true, keepCalls = 1_000, keepAudit = 10_000 } = options
  const ledger = createLedger(options.meters, { keepRows, keepCalls, keepAudit })
  const tokens = createTokenService({
    clients: options.clients,
    lifeS: options.tokenLifeS ?? 3_599,
    now,
    writeError,
    meterer: createTokenMeterer(now, limits),
    onGrant: ledger.noteTokenGrant,
  })
  const closing = new AbortController()
  const routes = createRoutes({
    tokens,
    clientOf: tokens.clientOf,
    revokeTokens: tokens.revokeAll,
    meterer: createCallMeterer(now, limits),
    limits,
    tenant: options,
    partial: options.partial ?? 'all-or-nothing',
    faults,
    ledger,
    writeError,
    now,
    sleep: (ms) => sleepUnless(closing.signal, ms),
  })
  const server = createServer(getRequestListener(routes.fetch))
  const url = await listen(server, options.port ?? 0, options.host ?? '127.0.0.1')
  const close = async (): Promise<void> => {
    if (closing.signal.aborted) return
    closing.abort()
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { url, faults, ledger, revokeTokens: tokens.revokeAll, close }
}

async function listen(server: Server, port: number, host: string): Promise<string> {
  server.listen(port, host)
  await once(server, 'listening')
  const { port: actualPort } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`
}

async function sleepUnless(signal: AbortSignal, ms: number): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal })
    return true
  } catch {
    return false
  }
}
