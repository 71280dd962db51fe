import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { keyDays } from './config/key-days.ts'
import type { RelayDeps } from './deps.ts'
import { createForwarder } from './forward/create-forwarder.ts'
import { createUpstreamClient } from './forward/upstream-client.ts'
import { openStore } from './open-store.ts'
import { defaultTracer } from './operate/tracing.ts'
import { createReconciler } from './reconcile/create-reconciler.ts'

/** The parts that createRelay() uses unless it is given others. */
export function defaultDeps(given: Partial<RelayDeps>): RelayDeps {
  const deps = {
    clock: Date.now,
    random: Math.random,
    uuid: () => crypto.randomUUID(),
    fetch: (...call: Parameters<typeof fetch>) => fetch(...call),
    log: () => {},
    tracer: defaultTracer(),
    environment: process.env,
    readFile: (path: string) => readFileSync(path, 'utf8'),
    freeDiskBytes,
    ...given,
  }
  const { clock, random, uuid, log } = deps
  return {
    openStore: (settings) => openStore(settings, { clock, log, idempotencyWindowDays: keyDays(settings) }),
    createForwarder: (store, { meters, upstream }) =>
      createForwarder({ store, routes: meters, upstream, owner: uuid(), clock, random, fetch: deps.fetch, log }),
    createReconciler: (store, { meters, upstream, tenant }) => {
      const ask = createUpstreamClient({ upstream, clock, fetch: deps.fetch })
      return createReconciler({ store, routes: meters, tenant, ask, clock, log })
    },
    ...deps,
  }
}

async function freeDiskBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(dirname(path))
  return bavail * bsize
}
