import { grantTokens } from '../../relay/tokens/grant-tokens.ts'
import { workerRuntime } from '../../runtime/worker.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { Agent } from '../agent.ts'
import { startRemoteAgent } from '../create-remote-agent.ts'
import type { RecordingOptions } from '../options.ts'
import {
  namesRelay,
  type OutboxNamespace,
  outboxNamespace,
  type RelayOptions,
  relayAccess,
  type WaitUntil,
} from './bindings.ts'
import { Home, objectName, objectNames } from './home.ts'
import { deskOf } from './isolate.ts'
import { WorkerOutbox } from './outbox.ts'
import { StraightLine } from './straight.ts'

/** What an application says to a Worker's createAgent(); the rest comes from the bindings. */
export interface WorkerAgentOptions extends Pick<RecordingOptions, 'meters' | 'maxEventBytes'>, RelayOptions {
  /**
   * Who is billed: the account that your Worker has authenticated, 1 to 200 characters. Never take it from what a client
   * sends unchecked. Tokens are made for it, and events of one account never travel under another's.
   */
  readonly account: string
  /** Where events are kept. Default: `env.USAGE_OUTBOX`; null: in memory, though there is such a binding. */
  readonly outbox?: OutboxNamespace | null
  /** Durable Objects that share all accounts. Changing it moves accounts; what waits is sent from where it is. Default 16. */
  readonly shards?: number
  /** Over how many of them one account's isolates spread, for an account that is too busy for one. Default 1. */
  readonly spread?: number
}

/** What one call of the relay, and one row of SQLite, can carry. */
const MAX_EVENT_BYTES = 1_000_000
const MAX_DEAD = 100

/**
 * An agent for one request (or scheduled event, or batch of a queue): make it at the start of the handler. It costs no
 * I/O; what is recorded is stored under `ctx.waitUntil`, so nothing has to be awaited or closed; close() sends before it resolves.
 *
 * With the binding `USAGE_OUTBOX` (a Durable Object, see UsageOutbox) receipts say 'power'; should the object not be
 * reachable they say 'memory', and the events are sent to the relay from the isolate's memory. Without the binding all
 * are sent that way. Windows of meters that aggregate end with the task that recorded: sums are of one burst.
 *
 * @throws MetertapError `bad_option`: an option, or a binding (`detail.binding`), is missing or cannot be used.
 * @example
 * export default {
 *   async fetch(request, env, ctx) {
 *     const usage = createAgent(env, ctx, { account: await accountOf(request), meters: [apiCalls] })
 *     usage.record(apiCalls, { route: '/export', quantity: 1 })
 *     return new Response('done')
 *   },
 * }
 */
export function createAgent(env: object, ctx: WaitUntil, options: WorkerAgentOptions): Agent {
  const { account, shards, spread } = checked(env, ctx, options)
  const namespace = outboxNamespace(env, options.outbox)
  const access = !namespace || namesRelay(env, options) ? relayAccess(env, options, grantTokens) : undefined
  const runtime = workerRuntime(access?.fetch)
  const desk = deskOf(JSON.stringify([account, access?.relay, namespace && [shards, spread]]), runtime)
  const meters = options.meters.map(({ name }) => name)
  return startRemoteAgent(
    { account, meters: options.meters, ...(options.maxEventBytes ? { maxEventBytes: options.maxEventBytes } : {}) },
    {
      runtime,
      book: desk.book,
      keepsWindows: false,
      isBrief: true,
      openOutbox: (_, watch) => {
        const home = (name: string) => namespace && new Home({ namespace, name, runtime })
        const places = { shards, spread }
        const line =
          access &&
          new StraightLine({
            ...{ desk, account, meters, access, runtime, keepsDead: namespace !== undefined },
            onFailed: (outcome) => {
              const code = outcome.kind === 'unauthorized' ? 'unauthorized' : 'relay_unreachable'
              watch.onTrouble(new MetertapError(code, outcome.detail))
            },
            onDead: (letters) => {
              desk.buried += letters.length
              desk.dead.push(...letters)
              desk.dead.splice(0, desk.dead.length - MAX_DEAD)
              for (const { code, detail } of letters) {
                watch.onTrouble(
                  new MetertapError('refused_by_relay', `The relay will not take an event: ${code}. ${detail}`),
                )
              }
            },
          })
        return new WorkerOutbox({
          ...{ ctx, desk, account, meters, runtime, line, watch },
          home: home(objectName(account, desk.book.stream, places)),
          homes: objectNames(account, places).flatMap((name) => home(name) ?? []),
        })
      },
    },
  )
}

function checked(
  env: unknown,
  ctx: unknown,
  options: WorkerAgentOptions,
): { account: string; shards: number; spread: number } {
  if (typeof env !== 'object' || env === null) refuse('give the handler’s env as the first argument')
  if (typeof (ctx as WaitUntil | undefined)?.waitUntil !== 'function') {
    refuse('give the handler’s ctx as the second argument')
  }
  const { account, meters, shards = 16, spread = 1, maxEventBytes = 0 } = options ?? {}
  if (typeof account !== 'string' || account === '') refuse('account must name who is billed')
  if (!Array.isArray(meters)) refuse('meters must list at least one meter made by defineMeter()')
  if (!isWhole(shards, 10_000)) refuse('shards must be a whole number from 1 to 10000')
  if (!isWhole(spread, shards)) refuse('spread must be a whole number from 1 to shards')
  if (maxEventBytes > MAX_EVENT_BYTES) refuse(`maxEventBytes must be at most ${MAX_EVENT_BYTES}`)
  return { account, shards, spread }
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most
}

function refuse(text: string): never {
  throw new MetertapError('bad_option', `createAgent: ${text}.`)
}
