import type { AppendGroup, DeadLetter, Durability, RemoteOutbox, StreamSummary } from '../outbox/contract.ts'
import type { MetertapError } from '../wire/errors.ts'
import { AppendPipe } from './append-pipe.ts'
import {
  type AnswerValues,
  BRIDGE_VERSION,
  type BridgePort,
  type BridgeRequest,
  type Outcome,
  type Welcome,
} from './contract.ts'
import { errorOf } from './outcome.ts'

export interface RemoteOutboxDeps {
  readonly port: BridgePort
  /** A random UUID for the session. */
  readonly random: () => string
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** The main process has answered for the first time. */
  readonly onWelcome: (welcome: Welcome) => void
  /** Nobody answers, for now: it is tried again. */
  readonly onSilence: (error: MetertapError) => void
}

/** Without what names the session. */
type Question = BridgeRequest extends infer R ? (R extends BridgeRequest ? Omit<R, 'v' | 'session'> : never) : never

/**
 * The outbox of the main process, as a page records into it. Account tags are the main process's business: what comes
 * back bears the tag ''.
 */
export function createRemoteOutbox(deps: RemoteOutboxDeps): RemoteOutbox {
  const { port, random, setTimer, onSilence } = deps
  const session = random()
  const call = (question: Question) => port.call({ v: BRIDGE_VERSION, session, ...question } as BridgeRequest)

  async function ask<K extends Exclude<keyof AnswerValues, 'append'>>(
    question: Question & { kind: K },
  ): Promise<AnswerValues[K]> {
    const answer = (await call(question)) as Outcome<AnswerValues[K]>
    if (!answer.ok) throw errorOf(answer.error)
    return answer.value
  }

  /** What must not get lost waits for a main process that is not there yet. */
  const welcomed = Promise.withResolvers<Welcome>()
  void welcomed.promise.then(deps.onWelcome)

  const pipe = new AppendPipe({
    setTimer,
    onSilence,
    // Said at every start from the front, so that it is the first word even after a main process that was not there yet.
    greet: () => ask({ kind: 'hello' }).then(welcomed.resolve),
    send: (request) => call({ kind: 'append', ...request }),
  })

  return {
    // Until the first answer says otherwise: the first events are on their way before it.
    durability: 'process',
    append: (group: AppendGroup): Promise<Durability> => pipe.append(group),
    flush: () => ask({ kind: 'flush' }),
    pause: (_tag, reason) => welcomed.promise.then(() => ask({ kind: 'pause', reason })),
    resume: (_tag, reason) => welcomed.promise.then(() => ask({ kind: 'resume', reason })),
    purge: () => ask({ kind: 'purge' }),
    // The main process sees for itself how much has to go.
    dropOldest: () => ask({ kind: 'make-room' }),
    news: () => welcomed.promise.then(() => ask({ kind: 'news' })),
    totals: () => ask({ kind: 'totals' }),
    streams: async () => (await ask({ kind: 'streams' })).map((each): StreamSummary => ({ ...each, accountTag: '' })),
    deadLetters: async () =>
      (await ask({ kind: 'dead-letters' })).map((each): DeadLetter => ({ ...each, accountTag: '' })),
    retryDeadLetters: (letters) => ask({ kind: 'retry-letters', letters: letters.map(nameOf) }),
    deleteDeadLetters: (letters) => ask({ kind: 'delete-letters', letters: letters.map(nameOf) }),
    async close() {
      await pipe.close()
      await ask({ kind: 'close' }).catch(() => {})
    },
  }
}

function nameOf({ stream, seq }: { readonly stream: string; readonly seq: number }): { stream: string; seq: number } {
  return { stream, seq }
}
