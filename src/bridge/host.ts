import type { Outbox, Segment, SenderNews } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import { answerAsk } from './asks.ts'
import type {
  AppendRequest,
  BridgeAnswer,
  BridgeLimits,
  BridgeRefusal,
  BridgeRequest,
  BridgeRights,
  BridgeSender,
  BridgeSending,
  Outcome,
  Welcome,
} from './contract.ts'
import { DiskRoom } from './disk-room.ts'
import { failed, ok } from './outcome.ts'
import { bad, measurePlainData } from './plain-data.ts'
import { readRequest } from './read-request.ts'
import { Session } from './session.ts'
import { Visitors } from './visitors.ts'

export interface BridgeHostOptions {
  readonly outbox: () => Promise<Outbox>
  readonly sending: BridgeSending
  /** Whose events a frame's are; it throws to refuse the frame. */
  readonly accountOf: (sender: BridgeSender) => string
  readonly meters: ReadonlySet<string>
  readonly rights: BridgeRights
  readonly limits: BridgeLimits
  readonly maxOutboxBytes: number
  readonly overflow: 'reject-new' | 'drop-oldest'
  readonly now: () => number
  readonly monotonic: () => number
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  readonly utf8Length: (text: string) => number
  /** Marks a segment whose text was checked. */
  readonly seal: (segment: Segment) => Segment
  readonly holdStream: (stream: string) => () => void
  readonly onRefused: (refusal: BridgeRefusal) => void
  readonly onError: (error: unknown) => void
}

/** How long a page that may have been navigated away has to say a word. */
const GRACE_MS = 10_000
/** Sessions that are over, remembered in case their pages come back. */
const MAX_DORMANT = 500
/** Agents in one window. */
const MAX_SESSIONS_PER_SENDER = 64

/** The main process's side of the bridge: judges every message, and stores what is sound under the account it chose. */
export class BridgeHost {
  readonly #options: BridgeHostOptions
  readonly #room: DiskRoom
  readonly #visitors: Visitors
  readonly #sessions = new Map<string, Session>()
  readonly #dormant = new Map<string, Session>()
  /** Streams that the outbox held before, and those of sessions: nobody else may write them. */
  readonly #taken = new Set<string>()
  #closed = false

  constructor(options: BridgeHostOptions) {
    this.#options = options
    this.#room = new DiskRoom({ ...options, ...options.limits })
    this.#visitors = new Visitors(options.limits, options.monotonic)
  }

  /** Sessions of pages that live. */
  get sessions(): number {
    return this.#sessions.size
  }

  /** The outbox is open: its streams are nobody's. */
  attach(streams: Iterable<string>): void {
    for (const stream of streams) this.#taken.add(stream)
  }

  /** Answers every message, whatever it is. Never rejects. */
  async handle(sender: BridgeSender, message: unknown): Promise<BridgeAnswer> {
    const visitor = this.#visitors.of(sender.id)
    try {
      if (this.#closed)
        throw new MetertapError('closed', 'The main process has closed its agent: the application ends.')
      const bytes = measurePlainData(message, this.#options.limits.maxMessageBytes)
      const leave = visitor.enter(bytes)
      try {
        const request = readRequest(message)
        const delayMs = visitor.delayMs(
          bytes,
          request.kind !== 'append' && request.kind !== 'hello' && request.kind !== 'news',
        )
        return await this.#do(sender, request, () => this.#sleep(delayMs))
      } finally {
        leave()
      }
    } catch (error) {
      const outcome = failed(error)
      if (!(error instanceof MetertapError)) this.#options.onError(error)
      this.#report(sender, outcome)
      return outcome
    }
  }

  /** A frame that a session was begun from: what it sent before it went is still in order when Electron knows it no more. */
  known(id: number, processId: number, frameId: number): BridgeSender | undefined {
    const senders = this.#of(id).map(({ sender }) => sender)
    return senders.find((each) => each.processId === processId && each.frameId === frameId)
  }

  /** Tells the account's pages. */
  tell(accountTag: string, news: Partial<SenderNews>): void {
    for (const session of this.#sessions.values()) if (session.accountTag === accountTag) session.news.add(news)
  }

  /** The window is gone, or its process. */
  gone(senderId: number): void {
    for (const session of this.#of(senderId)) void this.#end(session)
    this.#visitors.forget(senderId)
  }

  /** The window, or one of its frames, shows another page: those of the old one have a moment to prove the contrary. */
  navigated(senderId: number, isFrame: (sender: BridgeSender) => boolean): void {
    const suspects = this.#of(senderId).filter(({ sender }) => isFrame(sender))
    for (const session of suspects) session.suspectedAtMs ??= this.#options.monotonic()
    if (suspects.length === 0) return
    this.#options.setTimer(() => {
      for (const session of suspects) if (session.suspectedAtMs !== undefined) void this.#end(session)
    }, GRACE_MS)
  }

  /** Ends every session, as if all pages were gone. Resolves when their windows are events. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#sessions.values()].map((session) => this.#end(session)))
  }

  #do(sender: BridgeSender, request: BridgeRequest, wait: () => Promise<void>): Promise<BridgeAnswer> | BridgeAnswer {
    if (request.kind === 'hello') return this.#welcome(sender, request.session).then(ok)
    const session = this.#sessionOf(sender, request.session)
    if (request.kind === 'append') return this.#append(session, request, wait)
    if (request.kind === 'close') return this.#bye(session)
    const { outbox, sending, rights, now } = this.#options
    const mayForce = request.kind === 'flush' && this.#visitors.of(sender.id).mayForce()
    return wait().then(() => answerAsk({ outbox, sending, rights, now, session, mayForce, room: this.#room }, request))
  }

  async #append(session: Session, request: AppendRequest, wait: () => Promise<void>): Promise<BridgeAnswer> {
    const answer = await session.append(request, wait)
    if (answer.kind === 'judged') for (const outcome of answer.outcomes) this.#report(session.sender, outcome)
    return ok(answer)
  }

  #welcome(sender: BridgeSender, id: string): Promise<Welcome> {
    const known = this.#find(sender, id)
    if (!known) this.#open(sender, id)
    const { outbox, meters, maxOutboxBytes, overflow } = this.#options
    return outbox().then(({ durability }) => ({ durability, meters: [...meters], maxOutboxBytes, overflow }))
  }

  #open(sender: BridgeSender, id: string): void {
    const mayBegin = this.#visitors.of(sender.id).mayBeginAgent()
    if (!mayBegin || this.#of(sender.id).length >= MAX_SESSIONS_PER_SENDER) throw bad('The window has too many agents.')
    const { accountOf, sending, ...options } = this.#options
    const accountTag = accountOf(sender)
    const session = new Session({
      ...options,
      id,
      accountTag,
      sender,
      room: this.#room,
      mayOwn: (stream) => {
        if (this.#taken.has(stream)) return false
        this.#taken.add(stream)
        return true
      },
      onStored: (events, bytes) => sending.stored(accountTag, events, bytes),
    })
    this.#sessions.set(id, session)
  }

  #sessionOf(sender: BridgeSender, id: string): Session {
    const session = this.#find(sender, id)
    if (!session)
      throw new MetertapError('closed', 'The main process does not know this agent any more. Make a new one.')
    session.suspectedAtMs = undefined
    return session
  }

  /** A page that came back from the dead goes on where it was. */
  #find(sender: BridgeSender, id: string): Session | undefined {
    const session = this.#sessions.get(id) ?? this.#dormant.get(id)
    if (!session) return undefined
    if (session.sender.id !== sender.id || session.sender.origin !== sender.origin) {
      throw new MetertapError('not_allowed', 'The session belongs to another window.')
    }
    this.#dormant.delete(id)
    this.#sessions.set(id, session)
    return session
  }

  async #bye(session: Session): Promise<BridgeAnswer> {
    await this.#end(session)
    return ok(undefined)
  }

  async #end(session: Session): Promise<void> {
    if (!this.#sessions.delete(session.id)) return
    this.#dormant.set(session.id, session)
    for (const id of this.#dormant.keys()) if (this.#dormant.size > MAX_DORMANT) this.#dormant.delete(id)
    const { accountTag, pauses } = session
    const reasons = [...pauses]
    pauses.clear()
    const { sending } = this.#options
    for (const reason of reasons) if (!this.#isPausedBy(accountTag, reason)) sending.resume(accountTag, reason)
    await session.end().catch(this.#options.onError)
  }

  /** Whether another page of the account wants the same. */
  #isPausedBy(accountTag: string, reason: string): boolean {
    return [...this.#sessions.values()].some((each) => each.accountTag === accountTag && each.pauses.has(reason))
  }

  #of(senderId: number): Session[] {
    return [...this.#sessions.values()].filter(({ sender }) => sender.id === senderId)
  }

  #report({ id, origin }: BridgeSender, outcome: Outcome<unknown>): void {
    if (outcome.ok) return
    const { code, message } = outcome.error
    this.#options.onRefused({ code, message, origin, webContentsId: id })
  }

  #sleep(delayMs: number): Promise<void> {
    if (delayMs === 0) return Promise.resolve()
    return new Promise((resolve) => void this.#options.setTimer(resolve, delayMs))
  }
}
