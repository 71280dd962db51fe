import { MetertapError } from '../../wire/errors.ts'
import type { GateFace, KeysFace, ShardFace } from './contract.ts'

/** Names of the Durable Object bindings, as wrangler.jsonc gives them, and of the classes behind them. */
export const BINDINGS = { shard: 'USAGE_SHARD', keys: 'USAGE_KEYS', gate: 'USAGE_GATE' } as const
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
export function shardName(number: number): string {
  return `shard-${number}`
}

/** Errors: MetertapError bad_option that names the missing binding and how to add it. */
export function findShards(env: object, count: number): ShardFace[] {
  const namespace = find<ShardFace>(env, BINDINGS.shard)
  return Array.from({ length: count }, (_, number) => namespace.get(namespace.idFromName(shardName(number))))
}

export function findKeys(env: object): KeysFace {
  const namespace = find<KeysFace>(env, BINDINGS.keys)
  return namespace.get(namespace.idFromName('keys'))
}

export function findGate(env: object): GateFace {
  const namespace = find<GateFace>(env, BINDINGS.gate)
  return namespace.get(namespace.idFromName('gate'))
}

function find<Face>(env: object, name: string): Namespace<Face> {
  const found = (env as Record<string, unknown>)[name] as Partial<Namespace<Face>> | undefined
  if (typeof found?.idFromName === 'function') return found as Namespace<Face>
  const entry = `{ "name": "${name}", "class_name": "${CLASSES[name]}" }`
  const advice = `add ${entry} to durable_objects.bindings in wrangler.jsonc, and the class to new_sqlite_classes.`
  throw new MetertapError('bad_option', `The Durable Object binding ${name} is missing: ${advice}`, { binding: name })
}
