import { MetertapError } from '../../wire/errors.ts'
import type { GateFace, KeysFace, ReconcileFace, ShardFace } from './contract.ts'

/** Names of the Durable Object bindings, as wrangler.jsonc gives them, and of the classes behind them. */
const BINDINGS = { shard: 'USAGE_SHARD', keys: 'USAGE_KEYS', gate: 'USAGE_GATE' } as const
const CLASSES: Readonly<Record<string, string>> = {
  USAGE_SHARD: 'UsageShard',
  USAGE_KEYS: 'UsageKeys',
  USAGE_GATE: 'UsageGate',
}

interface Namespace<Face> {
  idFromName(name: string): unknown
  get(id: unknown): Face
}

/** Every object of a kind has a name; the same name is the same object. */
function shardName(number: number): string {
  return `shard-${number}`
}

/** Errors: MetertapError bad_option that names the missing binding and how to add it. */
export function findShards(env: object, count: number): ShardFace[] {
  const shard = find<ShardFace>(env, BINDINGS.shard)
  return Array.from({ length: count }, (_, number): ShardFace => {
    const stub = () => shard(shardName(number))
    return {
      accept: (request) => stub().accept(request),
      ask: (method, parameters) => stub().ask(method, parameters),
      wake: (lane) => stub().wake(lane),
      stats: () => stub().stats(),
      storedBytes: () => stub().storedBytes(),
      buryForwarded: (failures, nowMs) => stub().buryForwarded(failures, nowMs),
      ownersOf: (streams) => stub().ownersOf(streams),
      sumForwarded: (meter, span) => stub().sumForwarded(meter, span),
    }
  })
}

export function findKeys(env: object): KeysFace {
  const keys = find<KeysFace>(env, BINDINGS.keys)
  const stub = () => keys('keys')
  return {
    readSecret: (name) => stub().readSecret(name),
    keepSecret: (name, value) => stub().keepSecret(name, value),
    swapSecret: (name, before, after) => stub().swapSecret(name, before, after),
    revoke: (revocation) => stub().revoke(revocation),
    revocations: (version) => stub().revocations(version),
    fixShards: (count) => stub().fixShards(count),
    check: () => stub().check(),
  }
}

export function findGate(env: object): GateFace & ReconcileFace {
  const gate = find<GateFace & ReconcileFace>(env, BINDINGS.gate)
  const stub = () => gate('gate')
  return {
    token: () => stub().token(),
    discard: (token) => stub().discard(token),
    take: (want) => stub().take(want),
    hold: (ms) => stub().hold(ms),
    reconcile: (meter, sinceMs) => stub().reconcile(meter, sinceMs),
    takeTurn: (everyMs) => stub().takeTurn(everyMs),
  }
}

/** Gives the function that makes a stub. A stub belongs to the request in which it was made, so each call makes its own. */
function find<Face>(env: object, name: string): (object: string) => Face {
  const found = (env as Record<string, unknown>)[name] as Namespace<Face> | undefined
  if (typeof found?.idFromName === 'function') return (object) => found.get(found.idFromName(object))
  const entry = `{ "name": "${name}", "class_name": "${CLASSES[name]}" }`
  const advice = `add ${entry} to durable_objects.bindings in wrangler.jsonc, and the class to new_sqlite_classes.`
  throw new MetertapError('bad_option', `The Durable Object binding ${name} is missing: ${advice}`, { binding: name })
}
