import { join } from 'node:path'
import type { Hono } from 'hono'
import { createAcceptBatch } from './accept/accept-batch.ts'
import type { RelaySettings } from './config/resolve-config.ts'
import { besideConsole, type ConsoleDeps, createConsole } from './console/create-console.ts'
import type { RelayDeps } from './deps.ts'
import type { Forwarder } from './forward/contract.ts'
import { createAdminApp } from './http/admin.ts'
import { createApp, createBareApp } from './http/app.ts'
import type { RelayEnv } from './http/env.ts'
import { inflateNode } from './http/inflate-node.ts'
import { createShares } from './limits/budget.ts'
import { createDailyCap } from './limits/daily-cap.ts'
import { createPressure } from './limits/pressure.ts'
import { createRateLimits } from './limits/rate-limits.ts'
import type { Log } from './log.ts'
import { createMetrics } from './operate/metrics.ts'
import type { Reconciler } from './reconcile/contract.ts'
import type { RelayStore } from './store/contract.ts'
import { createAccessTokens } from './tokens/access-token.ts'
import { grantSecrets } from './tokens/grant-secrets.ts'
import { openKeyRing } from './tokens/key-ring.ts'
import { createRevocations } from './tokens/revocations.ts'
import { createGrantVerifier } from './tokens/verify-grant.ts'
import { createSessionVerifier } from './tokens/verify-session.ts'
import { VERSION } from './version.ts'

export interface Parts {
  readonly app: Hono<RelayEnv>
  readonly adminApp: Pick<Hono<RelayEnv>, 'fetch'>
  readonly store: RelayStore
  readonly forwarder: Forwarder
  readonly reconciler: Reconciler
  readonly log: Log
}

const DAY_MS = 86_400_000

/** Puts the relay's parts together: the one place that knows them all. */
export async function assemble(
  settings: RelaySettings,
  store: RelayStore,
  deps: RelayDeps,
  isStopping: () => boolean,
): Promise<Parts> {
  const { clock, log, uuid, tracer } = deps
  const { limits, metersByName: meters, origins, publicUrl, tenant, tokenLifeS: lifeS, admin } = settings
  const rotateAfterMs = settings.signingKeyDays * DAY_MS
  const keys = await openKeyRing({ store, clock, rotateAfterMs, tokenLifeMs: lifeS * 1000 })
  const forwarder = deps.createForwarder(store, settings)
  const reconciler = deps.createReconciler(store, settings)
  const revocations = createRevocations({ store, tenant, log })
  const pressure = createPressure({
    ...{ limits, clock, log },
    freeDiskBytes: async () => freeDiskBytes(settings, deps),
    backlogEvents: async () => countBacklog(await store.backlog()),
  })
  const openBytes = {
    known: createShares(limits.maxOpenBytes, Math.max(limits.maxBodyBytes, limits.maxOpenBytes / 2)),
    unknown: createShares(limits.maxOpenBytes / 4, limits.maxOpenBytes / 8),
  }
  const metrics = createMetrics({
    ...{ store, forwarder, log, clock, pressure: pressure.reason },
    openBytes: () => openBytes.known.used() + openBytes.unknown.used(),
    ...(deps.siblings && { siblings: deps.siblings }),
  })
  const { instruments } = metrics
  const reporting = { log, tracer, clock, instruments }
  const acceptBatch = createAcceptBatch({
    ...{ store, meters, limits, clock, log, instruments, tracer, policy: settings.policy },
    cap: createDailyCap({ store, maxEvents: limits.maxEventsPerAccountPerDay, clock }),
    onCommit(durationMs) {
      pressure.noteCommit(durationMs)
      instruments.commit(durationMs)
    },
    wake: (lane) => forwarder.wake(lane),
  })
  const app = createApp({
    ...{ ...reporting, store, keys, publicUrl, origins, limits, pressure, openBytes, acceptBatch, isStopping },
    ...{ version: VERSION, inflate: inflateNode },
    rates: createRateLimits({ limits, clock, onRefusal: instruments.limited }),
    tokens: createAccessTokens({ keys, revocations, publicUrl, tenant, lifeS, clock, uuid }),
    verifyGrant: createGrantVerifier({ store, secrets: grantSecrets(settings.grants), revocations, clock, log }),
    verifySession: createSessionVerifier({ issuers: settings.sessions, revocations, fetch: deps.fetch, clock, log }),
  })
  const adminApp =
    admin === undefined
      ? createBareApp(reporting, 'Give the relay an admin key first.')
      : withConsole(
          createAdminApp({
            ...{ ...reporting, store, forwarder, reconciler, keys, metrics, tenant, meters, limits },
            ...{
              adminKey: admin.key,
              backup: backupInto(admin.backupFolder, store),
              version: VERSION,
              inflate: inflateNode,
            },
          }),
          { ...reporting, limits, uuid, adminKey: admin.key },
        )
  return { app, adminApp, store, forwarder, reconciler, log }
}

function withConsole(
  api: Parts['adminApp'],
  deps: Omit<ConsoleDeps, 'api' | 'inflate' | 'loadFiles'>,
): Parts['adminApp'] {
  // A relay whose console nobody opens does not load its page.
  const loadFiles: ConsoleDeps['loadFiles'] = async () => (await import('./console/load-files.ts')).loadFiles()
  return besideConsole(api, createConsole({ ...deps, api, inflate: inflateNode, loadFiles }))
}

function backupInto(folder: string | undefined, store: RelayStore): ((file: string) => Promise<void>) | undefined {
  return folder === undefined ? undefined : (file) => store.backup(join(folder, file))
}

/** A database server's disk is not this machine's: it says itself when it is full. */
function freeDiskBytes({ store }: RelaySettings, deps: RelayDeps): Promise<number> | number {
  return 'sqlite' in store ? deps.freeDiskBytes(store.sqlite) : Number.POSITIVE_INFINITY
}

function countBacklog(lanes: readonly { waiting: number; inDelivery: number }[]): number {
  return lanes.reduce((sum, { waiting, inDelivery }) => sum + waiting + inDelivery, 0)
}
