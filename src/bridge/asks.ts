import type { DeadLetter, Outbox, OutboxTotals, StreamSummary } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import type {
  AskRequest,
  BridgeAnswer,
  BridgeRights,
  BridgeSending,
  LetterName,
  LettersRequest,
  PauseRequest,
} from './contract.ts'
import type { DiskRoom } from './disk-room.ts'
import { ok } from './outcome.ts'
import type { Session } from './session.ts'

interface AskParts {
  readonly outbox: () => Promise<Outbox>
  readonly sending: BridgeSending
  readonly rights: BridgeRights
  readonly now: () => number
  readonly session: Session
  readonly mayForce: boolean
  readonly room: DiskRoom
}

/** Everything but hello, append and close; always within the session's own account. */
export async function answerAsk(
  parts: AskParts,
  request: AskRequest | PauseRequest | LettersRequest,
): Promise<BridgeAnswer> {
  const { sending, session, rights, mayForce } = parts
  const { accountTag } = session
  const outbox = await parts.outbox()
  switch (request.kind) {
    case 'flush':
      await sending.flush(accountTag, mayForce)
      return ok(undefined)
    case 'pause':
      check(rights.pause, 'pause')
      session.pauses.add(request.reason)
      sending.pause(accountTag, request.reason)
      return ok(undefined)
    case 'resume':
      check(rights.pause, 'pause')
      session.pauses.delete(request.reason)
      sending.resume(accountTag, request.reason)
      return ok(undefined)
    case 'totals':
      return ok(await totalsOf(outbox, accountTag))
    case 'streams':
      return ok(await streamsOf(outbox, accountTag))
    case 'dead-letters':
      return ok(await lettersOf(outbox, accountTag))
    case 'purge':
      check(rights.purge, 'purge')
      session.forgetWindows()
      return ok(await purge(outbox, accountTag).finally(() => sending.changed(accountTag)))
    case 'make-room':
      return ok(await parts.room.makeRoom(outbox, accountTag, 0).finally(() => sending.changed(accountTag)))
    case 'news':
      return ok(await session.news.next())
    case 'delete-letters':
      check(rights.purge, 'purge')
      await outbox.deleteDeadLetters(await own(outbox, accountTag, request.letters))
      return ok(undefined)
    case 'retry-letters': {
      const retried = await outbox.retryDeadLetters(await own(outbox, accountTag, request.letters))
      sending.changed(accountTag)
      return ok(retried)
    }
    case 'close':
      return ok(undefined)
  }
}

function check(isAllowed: boolean, right: keyof BridgeRights): void {
  if (isAllowed) return
  const text = `Pages may not do this. Allow it in the main process: createAgent({ pagesMay: { ${right}: true } }).`
  throw new MetertapError('not_allowed', text, { right })
}

function purge(outbox: Outbox, accountTag: string): Promise<number> {
  return outbox.purge({ reason: 'purged', accountTag })
}

async function streamsOf(outbox: Outbox, accountTag: string): Promise<StreamSummary[]> {
  return (await outbox.streams()).filter((each) => each.accountTag === accountTag)
}

async function lettersOf(outbox: Outbox, accountTag: string): Promise<DeadLetter[]> {
  return (await outbox.deadLetters()).filter((each) => each.accountTag === accountTag)
}

async function own(outbox: Outbox, accountTag: string, letters: readonly LetterName[]): Promise<LetterName[]> {
  const nameOf = ({ stream, seq }: LetterName) => `${stream}-${seq}`
  const names = new Set((await lettersOf(outbox, accountTag)).map(nameOf))
  return letters.filter((letter) => names.has(nameOf(letter)))
}

/** Events and dead letters of the account alone; bytes of all, since the limit is one for all. */
async function totalsOf(outbox: Outbox, accountTag: string): Promise<OutboxTotals> {
  const [streams, { bytes, deadLetters: all }] = await Promise.all([streamsOf(outbox, accountTag), outbox.totals()])
  const deadLetters = all === 0 ? 0 : (await lettersOf(outbox, accountTag)).length
  let events = 0
  for (const { recorded, settled, dead, dropped } of streams) {
    events += recorded - settled - dead - Object.values(dropped).reduce((sum, count) => sum + count, 0)
  }
  return { events, bytes, deadLetters }
}
