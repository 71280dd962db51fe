import { DurableObject } from 'cloudflare:workers'
import type { DeadLetter, OutboxTotals, StreamSummary } from '../../outbox/contract.ts'
import { openSqliteOutbox } from '../../outbox/sqlite/open.ts'
import { grantTokens } from '../../relay/tokens/grant-tokens.ts'
import { workerRuntime } from '../../runtime/worker.ts'
import { type DurableObjectSql, durableObjectSqlite } from '../../sqlite/durable-object.ts'
import { type RelayAccess, type RelayOptions, relayAccess } from './bindings.ts'
import { type AccountStatus, Holder } from './holder.ts'
import type { HolderSettings } from './holder-settings.ts'
import { Plans } from './plans.ts'
import { type AppendReply, type AppendRequest, type OutboxObject, type Reply, replyOf } from './protocol.ts'

/** How a UsageOutbox goes about it. */
export interface UsageOutboxSettings extends HolderSettings, RelayOptions {}

interface ObjectState {
  readonly id: { toString(): string }
  readonly storage: DurableObjectSql & {
    setAlarm(atMs: number): Promise<void>
    deleteAlarm(): Promise<void>
    sync(): Promise<void>
  }
}

type LetterId = Pick<DeadLetter, 'stream' | 'seq'>

/**
 * The Durable Object that keeps usage events and sends them: export it from your Worker and bind it as `USAGE_OUTBOX`,
 * as a SQLite class (`"migrations": [{ "tag": "v1", "new_sqlite_classes": ["UsageOutbox"] }]`). It needs `METERTAP_RELAY`,
 * `METERTAP_GRANT_KEY_ID` and the secret `METERTAP_GRANT_SECRET`, or settings of your own in a subclass.
 *
 * An append is answered once it is confirmed: Cloudflare holds an object's answers back until its writes are on the disks
 * of several machines, so receipts say 'power'. Sending is driven by the object's alarm, which never fails: what cannot be
 * sent is planned anew, and the plan is stored with the events.
 *
 * Its methods are called by createAgent(); only your own Workers can reach them. `status()` is for you.
 *
 * @example
 * export class UsageOutbox extends Base {
 *   static override settings = () => ({ flushIntervalMs: 30_000, onTrouble: console.warn })
 * }
 */
export class UsageOutbox extends DurableObject<object> implements OutboxObject {
  /** Override it; what it leaves out has defaults. */
  static settings(_env: object): UsageOutboxSettings {
    return {}
  }

  readonly #holder: Holder

  constructor(ctx: ConstructorParameters<typeof DurableObject>[0], env: object) {
    super(ctx as never, env)
    const { settings } = new.target
    this.#holder = createHolder(ctx as unknown as ObjectState, env, settings(env))
  }

  append(request: AppendRequest): Promise<Reply<AppendReply>> {
    return replyOf(() => this.#holder.append(request))
  }

  flush(account: string): Promise<Reply<void>> {
    return replyOf(() => this.#holder.flush(account))
  }

  pause(account: string, reason: string): Promise<Reply<void>> {
    return replyOf(() => this.#holder.pause(account, reason))
  }

  resume(account: string, reason: string): Promise<Reply<void>> {
    return replyOf(() => this.#holder.resume(account, reason))
  }

  purge(account: string, reason: string): Promise<Reply<number>> {
    return replyOf(() => this.#holder.purge(account, reason))
  }

  dropOldest(account: string, reason: string, bytes: number): Promise<Reply<number>> {
    return replyOf(() => this.#holder.dropOldest(account, reason, bytes))
  }

  totals(account: string): Promise<Reply<OutboxTotals>> {
    return replyOf(() => this.#holder.totals(account))
  }

  streams(account: string): Promise<Reply<StreamSummary[]>> {
    return replyOf(() => this.#holder.streams(account))
  }

  deadLetters(account: string): Promise<Reply<DeadLetter[]>> {
    return replyOf(() => this.#holder.deadLetters(account))
  }

  deleteDeadLetters(account: string, letters: readonly LetterId[]): Promise<Reply<void>> {
    return replyOf(() => this.#holder.deleteDeadLetters(account, letters))
  }

  retryDeadLetters(account: string, letters: readonly LetterId[]): Promise<Reply<number>> {
    return replyOf(() => this.#holder.retryDeadLetters(account, letters))
  }

  /** Every account that this object has known: what waits, what is dead, what went wrong last, when it tries next. */
  status(): Promise<AccountStatus[]> {
    return this.#holder.status()
  }

  alarm(): Promise<void> {
    return this.#holder.ring()
  }
}

function createHolder({ id, storage }: ObjectState, env: object, settings: UsageOutboxSettings): Holder {
  const db = durableObjectSqlite(storage)
  const runtime = workerRuntime(settings.fetch)
  const durability = { plain: 'power', strict: 'power' } as const
  let access: RelayAccess | undefined
  return new Holder({
    outbox: openSqliteOutbox({ db, durability, random: runtime.newStreamId, clock: runtime.now }),
    plans: new Plans(db),
    alarm: { set: (atMs) => void storage.setAlarm(atMs), clear: () => void storage.deleteAlarm() },
    runtime,
    access: () => (access ??= relayAccess(env, settings, grantTokens)),
    settings,
    synced: () => storage.sync(),
    device: `usage-outbox:${id.toString().slice(0, 32)}`,
  })
}
