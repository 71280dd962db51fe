import type { Hono } from 'hono'
import { createAcceptBatch } from '../accept/accept-batch.ts'
import { besideConsole, type ConsoleDeps, createConsole } from '../console/create-console.ts'
import { createAdminApp } from '../http/admin.ts'
import { createApp, createBareApp } from '../http/app.ts'
import type { RelayEnv } from '../http/env.ts'
import { createWebInflate } from '../http/inflate-web.ts'
import { createShares } from '../limits/budget.ts'
import { createRateLimits } from '../limits/rate-limits.ts'
import type { Log } from '../log.ts'
import type { Instruments } from '../operate/instruments.ts'
import { defaultTracer } from '../operate/tracing.ts'
import { createAccessTokens } from '../tokens/access-token.ts'
import { grantSecrets } from '../tokens/grant-secrets.ts'
import { openKeyRing } from '../tokens/key-ring.ts'
import { createRevocations } from '../tokens/revocations.ts'
import { createGrantVerifier } from '../tokens/verify-grant.ts'
import { createSessionVerifier } from '../tokens/verify-session.ts'
import type { KeysFace, ReconcileFace, ShardFace } from './contract.ts'
import { createEdgeMetrics } from './edge-metrics.ts'
import { createEdgeReconciler } from './edge-reconciler.ts'
import type { EdgeSettings } from './edge-settings.ts'
import { createRevocationCache } from './revocation-cache.ts'
import { requireSameShards } from './same-shards.ts'
import { createShardedStore } from './sharded-store.ts'
import { EDGE_VERSION } from './version.ts'

export interface EdgeDeps {
  readonly settings: EdgeSettings
  readonly shards: readonly ShardFace[]
  readonly keys: KeysFace
  readonly reconciling: ReconcileFace
  /** Without them there is no console. */
  readonly loadConsole: ConsoleDeps['loadFiles'] | undefined
  readonly fetch: typeof globalThis.fetch
  readonly clock: () => number
  readonly uuid: () => string
  readonly log: Log
}

export interface EdgeApps {
  /** For agents, and with the console for the operator's browser. */
  readonly app: Pick<Hono<RelayEnv>, 'fetch'>
  readonly adminApp: Hono<RelayEnv>
}

const NO_BACKUP =
  'Durable Objects have point-in-time recovery: see "Recovery at the edge" in docs/deploying-the-relay.md.'
const DAY_MS = 86_400_000
/** A Worker's own figures are Cloudflare's business; those of the ledger are rendered when asked for. */
const SILENT: Instruments = {
  request() {},
  refused() {},
  limited() {},
  issued() {},
  body() {},
  batch() {},
  commit() {},
}

/** Puts one isolate's apps together: it authenticates, reads and judges; a shard takes and forwards. */
export async function assembleEdge(deps: EdgeDeps): Promise<EdgeApps> {
  const { settings, shards, keys: keysObject, fetch, clock, uuid, log } = deps
  const { limits, metersByName: meters, origins, publicUrl, tenant, tokenLifeS: lifeS, admin } = settings
  await requireSameShards(keysObject, shards.length)
  const cache = createRevocationCache(keysObject, clock)
  const store = createShardedStore({ tenant, shards, keys: keysObject, revocations: cache })
  const rotateAfterMs = settings.signingKeyDays * DAY_MS
  const keys = await openKeyRing({ store, clock, rotateAfterMs, tokenLifeMs: lifeS * 1000 })
  const revocations = createRevocations({ store, tenant, log })
  const tracer = defaultTracer()
  const inflate = createWebInflate(DecompressionStream)
  const reporting = { log, tracer, clock, instruments: SILENT }
  const acceptBatch = createAcceptBatch({
    ...{ store, meters, limits, policy: settings.policy, ...reporting },
    // The shard knows the account's whole day, and wakes its own lanes.
    cap: { isReached: async () => false, note: () => {} },
    onCommit: () => {},
    wake: () => {},
  })
  const app = createApp({
    ...{ ...reporting, store, keys, publicUrl, origins, limits, acceptBatch, inflate },
    pressure: { check: () => {} },
    openBytes: {
      known: createShares(limits.maxOpenBytes, Math.max(limits.maxBodyBytes, limits.maxOpenBytes / 2)),
      unknown: createShares(limits.maxOpenBytes / 4, limits.maxOpenBytes / 8),
    },
    isStopping: () => false,
    requestsShare: false,
    version: EDGE_VERSION,
    rates: createRateLimits({ limits, clock, onRefusal: () => {} }),
    tokens: createAccessTokens({ keys, revocations, publicUrl, tenant, lifeS, clock, uuid }),
    verifyGrant: createGrantVerifier({ store, secrets: grantSecrets(settings.grants), revocations, clock, log }),
    verifySession: createSessionVerifier({ issuers: settings.sessions, revocations, fetch, clock, log }),
  })
  const forwarder = {
    wake: async (lane?: string) => await Promise.all(shards.map((shard) => shard.wake(lane))),
    // A lane has its own way in each shard, so it stands here once for each.
    stats: async () => {
      const lists = await Promise.all(shards.map((shard) => shard.stats()))
      return lists.flatMap((list, shard) => list.map((lane) => ({ ...lane, shard })))
    },
  }
  const names = settings.meters.map(({ meter }) => meter.name)
  const reconciler = createEdgeReconciler({ face: deps.reconciling, meters: names, clock })
  const adminApp =
    admin === undefined
      ? createBareApp(reporting, 'Give the relay an admin key first: the secret METERTAP_ADMIN_KEY.')
      : createAdminApp({
          ...{ ...reporting, store, forwarder, keys, tenant, meters, limits, inflate },
          ...{ adminKey: admin.key, reconciler, backup: undefined, noBackupAdvice: NO_BACKUP, version: EDGE_VERSION },
          metrics: createEdgeMetrics({ store, shards, clock }),
        })
  if (admin === undefined || deps.loadConsole === undefined) return { app, adminApp }
  const parts = { ...reporting, limits, inflate, uuid, adminKey: admin.key, api: adminApp, loadFiles: deps.loadConsole }
  return { app: besideConsole(app, createConsole(parts)), adminApp }
}
