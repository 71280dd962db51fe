import { MetertapError } from '../../wire/errors.ts'
import type { MeterOptions, ZuoraStandIn } from '../../zuora-stand-in/contract.ts'
import type { RelaySettings } from '../config/resolve-config.ts'
import type { MeterRoute } from '../contract.ts'
import { definedFields } from '../operate/meter-recipe.ts'
import type { CliHost } from './host.ts'
import { readWithoutSecrets } from './read-without-secrets.ts'

const LOOK_EVERY_MS = 250
const DAY_MS = 86_400_000
const DEFAULT_WINDOW_DAYS = 30
const FIELD_TYPES = {
  String: 'string',
  Integer: 'integer',
  Number: 'number',
  Boolean: 'boolean',
  DateTime: 'date',
} as const

/**
 * Runs a stand-in for Zuora where the configuration's upstream is, with the configuration's meters, until a signal ends it.
 * Prints each event that would be billed. It keeps all of it in memory, and is for development only.
 *
 * Errors: MetertapError bad_option when the upstream is not on this machine, or a port is taken.
 */
export async function runDevUpstream(path: string, host: CliHost): Promise<void> {
  const { upstream, meters } = await readWithoutSecrets(path, host)
  const { hostname, port } = localPlace(upstream.restBase)
  const { clientId, clientSecret } = upstream
  // Loaded here alone: no relay in production needs it.
  const { startZuoraStandIn } = await import('../../zuora-stand-in/server.ts')
  const standIn = await startZuoraStandIn({
    ...{ host: hostname, port, clients: [{ clientId, clientSecret }], meters: meters.map(asStandIn) },
    ...tenantOf(upstream),
  }).catch((error: Error) => {
    const message = `The stand-in cannot listen on ${hostname}:${port}: free it, or change upstream.restBase.`
    throw new MetertapError('bad_option', message, {}, error)
  })
  const stopPrinting = printBillable(standIn, meters, host)
  host.onSignal(() => {
    stopPrinting()
    void standIn.close().then(() => host.exit(0))
  })
  host.writeOut(
    `metertap dev-upstream ${host.version} listens on ${standIn.url} (what it holds: ${standIn.url}/_standin/ledger). It bills nobody, and forgets everything when it ends.\n`,
  )
}

function localPlace(restBase: string): { readonly hostname: string; readonly port: number } {
  const { protocol, hostname, port } = new URL(restBase)
  if (protocol === 'http:' && port !== '') {
    return { hostname: hostname === 'localhost' ? '127.0.0.1' : hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
  }
  const message = `The configuration's upstream is ${restBase}, which is not on this machine: give upstream.restBase such as http://127.0.0.1:8789.`
  throw new MetertapError('bad_option', message)
}

function tenantOf({ environment, entityIds, orgIds }: RelaySettings['upstream']) {
  return {
    ...(environment === undefined ? {} : { environment }),
    ...(entityIds === undefined ? {} : { entityIds: entityIds.split(',') }),
    ...(orgIds === undefined ? {} : { orgIds: orgIds.split(',') }),
  }
}

/** The meter as `metertap meters` says to define it; fields of unknown types are taken as they come. */
function asStandIn(route: MeterRoute): MeterOptions {
  const { meterGlobalId, url, dedupWindowDays = DEFAULT_WINDOW_DAYS } = route.upstream
  if (meterGlobalId === undefined) {
    const message = `Meter ${route.meter.name} has an address of its own, ${url}: dev-upstream needs meterGlobalId.`
    throw new MetertapError('bad_option', message)
  }
  const defined = definedFields(route)
  const fields = defined.flatMap(({ name, type, source }) =>
    // What the schema leaves optional may be missing.
    type === 'unknown' ? [] : [[name, { type: FIELD_TYPES[type], required: !source.startsWith('data.') }] as const],
  )
  const field = defined.find(({ source }) => source === 'id')?.name ?? ''
  return {
    ...{ id: meterGlobalId, fields: Object.fromEntries(fields), unknownFields: 'accept' as const },
    ...(dedupWindowDays === 0 ? {} : { deduplicator: { field, windowMs: dedupWindowDays * DAY_MS } }),
  }
}

/** Prints what has come since the last look, until it is told to stop. */
function printBillable({ ledger }: ZuoraStandIn, meters: readonly MeterRoute[], host: CliHost): () => void {
  const printed = new Map(meters.map(({ upstream }) => [upstream.meterGlobalId ?? '', 0]))
  const timer = setInterval(() => {
    for (const [id, count] of printed) {
      const { billable } = ledger.totals(id)
      if (billable === count) continue
      printed.set(id, billable)
      for (const row of [...ledger.events(id)].slice(count)) host.writeOut(`${id} ${JSON.stringify(row)}\n`)
    }
  }, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}
