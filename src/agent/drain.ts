import type { Outbox } from '../outbox/contract.ts'
import type { PeerChannel, Runtime } from '../runtime/contract.ts'
import { createTokenSource } from '../transport/token-source.ts'
import { MetertapError } from '../wire/errors.ts'
import { createDelivery } from './delivery.ts'
import type { DrainSettings, SignedIn } from './drain-options.ts'
import { closeOrphans } from './orphans.ts'
import { restFor } from './rest-for.ts'

/**
 * What came of draining: 'done', nothing is left of the account; 'busy', a page or another worker is the sender;
 * 'signed-out', there is no token; 'later', something waits that could not be sent now.
 */
export type DrainOutcome = 'done' | 'busy' | 'signed-out' | 'later'

export interface DrainParts {
  readonly settings: DrainSettings
  readonly runtime: Runtime
  readonly outbox: Outbox
  /** Ends it early: 'later'. */
  readonly signal: AbortSignal
  /** What fails is tried again when its backoff is over, if that is so soon, ms. Default 0. */
  readonly patienceMs?: number
}

/** Sends what waits of whoever is signed in, as the one sender, and goes. */
export async function drainOnce(parts: DrainParts): Promise<DrainOutcome> {
  const { settings, runtime, outbox } = parts
  // Nobody is asked for a token for nothing.
  if ((await outbox.totals()).events === 0) return 'done'
  const signedIn = await whoIsSignedIn(settings)
  if (!signedIn) return 'signed-out'
  const name = `metertap:${settings.outbox}:${encodeURIComponent(signedIn.account)}`
  return asSender(runtime.locks, name, (lost) => send(parts, signedIn, name, lost))
}

/** @throws MetertapError `token_unavailable` for what is neither a token nor nobody. */
async function whoIsSignedIn({ token, account }: DrainSettings): Promise<SignedIn | undefined> {
  const given = await token()
  if (given === undefined || given === null) return undefined
  const signedIn = typeof given === 'string' ? { token: given, account } : given
  if (typeof signedIn.token === 'string' && typeof signedIn.account === 'string') return signedIn
  throw new MetertapError(
    'token_unavailable',
    'The token option must give a token, or { token, account }, or undefined.',
  )
}

/** Under the lock of the tabs, if none of them holds it. `lost` aborts when a page takes the office over. */
async function asSender(
  locks: LockManager | undefined,
  name: string,
  work: (lost: AbortSignal) => Promise<DrainOutcome>,
): Promise<DrainOutcome> {
  const lost = new AbortController()
  if (!locks) return work(lost.signal)
  try {
    return await locks.request(name, { ifAvailable: true }, (lock) => (lock ? work(lost.signal) : 'busy'))
  } catch (error) {
    lost.abort()
    const { name: kind } = error as Error
    if (kind === 'AbortError') return 'busy'
    // Denied: leases keep senders apart.
    if (kind === 'SecurityError') return work(new AbortController().signal)
    throw error
  }
}

async function send(parts: DrainParts, signedIn: SignedIn, name: string, lost: AbortSignal): Promise<DrainOutcome> {
  const { settings, runtime, outbox } = parts
  const { now, setTimer, locks } = runtime
  const signal = AbortSignal.any([parts.signal, lost])
  let isHeld = false
  let trouble: unknown
  const channel = runtime.openChannel(name, ({ kind, of }) => {
    if (kind === 'flush' || kind === 'flush-now') void answer(of)
  })
  let first: SignedIn | undefined = signedIn
  const provide = async () => {
    const next = first ?? (await whoIsSignedIn(settings))
    first = undefined
    if (next?.account !== signedIn.account) throw new Error('Somebody else is signed in now.')
    return next.token
  }
  const drainer = createDelivery({
    // A lease always: pages may make room by dropping what is not leased.
    settings: { ...settings, account: signedIn.account, overflow: 'drop-oldest' },
    runtime,
    outbox,
    tokens: createTokenSource({ provide, now, setTimer }),
    device: await outbox.deviceId().catch(() => 'unknown'),
    isExclusive: () => true,
    mayRun: () => !signal.aborted && !isHeld,
    signal,
    hooks: {
      onSending: () => {},
      onSettled: () => tell(channel, 'settled'),
      onFailed: () => {},
      onDeferred: () => {},
      onPolicy: ({ holdMs }) => {
        isHeld = Boolean(holdMs)
      },
    },
    onError: (error) => {
      trouble = error
    },
  })
  const answer = async (of: string | undefined) => {
    tell(channel, 'alive')
    await drainer.drain(true)
    if (of !== undefined) tell(channel, 'idle', of)
  }
  try {
    await closeOrphans({ outbox, locks, own: '', nowMs: now() })
    await drainer.drain(true)
    const untilMs = now() + (parts.patienceMs ?? 0)
    for (let at = drainer.nextTryAtMs; at !== undefined && at < untilMs; at = drainer.nextTryAtMs) {
      if (signal.aborted) break
      trouble = undefined
      await restFor(at - now(), setTimer, signal)
      await drainer.drain()
    }
    const isLeft = drainer.nextTryAtMs !== undefined || signal.aborted || isHeld
    return isLeft || trouble !== undefined ? 'later' : 'done'
  } finally {
    drainer.stop()
    channel?.close()
  }
}

function tell(channel: PeerChannel | undefined, kind: 'settled' | 'alive' | 'idle', of?: string): void {
  try {
    channel?.post(of === undefined ? { kind } : { kind, of })
  } catch {
    // Closed: nobody waits for it any more.
  }
}
