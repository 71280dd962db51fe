/** An API whose calls are billed: see wrangler.jsonc for what it needs. */
import { UsageOutbox as BaseOutbox, createAgent, defineMeter } from 'metertap/worker'
import * as z from 'zod'

/** What is billed: the relay must know this meter, too. */
const apiCalls = defineMeter(
  'api_calls',
  z.object({ operation: z.string().min(1).max(40), quantity: z.int().positive() }),
)

/** Keeps the events and sends them. Trouble with the relay goes to the Worker's log; the events wait. */
export class UsageOutbox extends BaseOutbox {
  static override settings() {
    return { onTrouble: (account: string, trouble: object) => console.warn('usage of', account, trouble) }
  }
}

interface Env {
  readonly API_KEYS: Readonly<Record<string, string>>
}

interface Context {
  waitUntil(promise: Promise<unknown>): void
}

export default {
  fetch(request: Request, env: Env, ctx: Context): Response {
    // The account is what this Worker knows of its caller, never what the caller says of itself.
    const key = request.headers.get('x-api-key') ?? ''
    const account = Object.hasOwn(env.API_KEYS, key) ? env.API_KEYS[key] : undefined
    if (account === undefined)
      return Response.json({ error: 'The header x-api-key names no customer.' }, { status: 401 })

    const usage = createAgent(env, ctx, { account, meters: [apiCalls] })
    const operation = new URL(request.url).pathname.slice(1) || 'root'
    const receipt = usage.record(apiCalls, { operation, quantity: 1 })
    if (receipt.error) return Response.json({ error: receipt.error.message }, { status: 400 })

    // Nothing has to be awaited: it is stored while the caller has its answer already.
    return Response.json({ result: `${operation} is done`, usage: receipt.id })
  },
}
