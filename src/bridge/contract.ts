/**
 * What crosses between an Electron page and its main process. The page owns its stream and its numbers; the main
 * process owns the outbox, the account and the network, and believes nothing.
 */
import type {
  AppendGroup,
  DeadLetter,
  Durability,
  OutboxTotals,
  SenderNews,
  StreamSummary,
} from '../outbox/contract.ts'
import type { ErrorCode } from '../wire/errors.ts'

/** The only version this code speaks; main process, preload script and page must be of one. */
export const BRIDGE_VERSION = 1
/** The one IPC channel. */
export const BRIDGE_CHANNEL = 'metertap'
/** The name under which a page finds its bridge. */
export const BRIDGE_KEY = 'metertapBridge'

/** What the preload script gives to the page: one function, to one channel. */
export interface BridgePort {
  /** The bridge's version; both sides must have the same. */
  readonly version: number
  /** Resolves with a BridgeAnswer; rejects when no main process answers. */
  call(request: BridgeRequest): Promise<unknown>
}

/** Names one dead letter. */
export interface LetterName {
  readonly stream: string
  readonly seq: number
}

/** A session is one agent in one page. Its id is random: who knows it is who began it. */
interface InSession {
  readonly v: number
  readonly session: string
}

export interface HelloRequest extends InSession {
  readonly kind: 'hello'
}

export interface AppendRequest extends InSession {
  readonly kind: 'append'
  /** 0, 1, 2 … in the session: requests are done in this order, each once. */
  readonly serial: number
  /** Every answer below this serial has arrived and can be forgotten. */
  readonly done: number
  readonly groups: readonly AppendGroup[]
}

export interface AskRequest extends InSession {
  readonly kind: 'flush' | 'totals' | 'streams' | 'dead-letters' | 'purge' | 'make-room' | 'news' | 'close'
}

export interface PauseRequest extends InSession {
  readonly kind: 'pause' | 'resume'
  readonly reason: string
}

export interface LettersRequest extends InSession {
  readonly kind: 'retry-letters' | 'delete-letters'
  readonly letters: readonly LetterName[]
}

export type BridgeRequest = HelloRequest | AppendRequest | AskRequest | PauseRequest | LettersRequest

/** An error as it travels: rejections lose their codes on the way. */
export interface BridgeError {
  readonly code: ErrorCode
  readonly message: string
  readonly detail: Readonly<Record<string, unknown>>
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: BridgeError }

/** To hello. */
export interface Welcome {
  readonly durability: Durability
  /** Names of the meters that the main process takes. */
  readonly meters: readonly string[]
  readonly maxOutboxBytes: number
  readonly overflow: 'reject-new' | 'drop-oldest'
}

/** To append: each group's own outcome, or 'again': an earlier request has not arrived, send all from there. */
export type AppendAnswer =
  | { readonly kind: 'judged'; readonly outcomes: readonly Outcome<Durability>[] }
  | { readonly kind: 'again' }

/** What each kind of request is answered with. */
export interface AnswerValues {
  hello: Welcome
  append: AppendAnswer
  flush: undefined
  totals: OutboxTotals
  streams: StreamSummary[]
  'dead-letters': DeadLetter[]
  purge: number
  /** How many events gave way. */
  'make-room': number
  /** Answered when there is some. */
  news: SenderNews
  close: undefined
  pause: undefined
  resume: undefined
  'retry-letters': number
  'delete-letters': undefined
}

export type BridgeAnswer = Outcome<AnswerValues[keyof AnswerValues]>

/** What bounds a page. */
export interface BridgeLimits {
  /** Longest message, about bytes. Default 16,777,216. */
  readonly maxMessageBytes: number
  /** Messages of one window that have no answer yet. Default 64. */
  readonly maxWaitingMessages: number
  /** Their bytes. Default 33,554,432. */
  readonly maxWaitingBytes: number
  /** Messages per second of one window in the long run; more than that waits. Default 500. */
  readonly messagesPerSecond: number
  /** Bytes per second of one window in the long run; more than that waits. Default 8,388,608. */
  readonly bytesPerSecond: number
  /** Dead letters after which the pages' events are refused as `outbox_full`, so that they cannot fill the disk. Default 10,000. */
  readonly maxDeadLetters: number
}

export const BRIDGE_LIMITS: BridgeLimits = {
  maxMessageBytes: 16_777_216,
  maxWaitingMessages: 64,
  maxWaitingBytes: 33_554_432,
  messagesPerSecond: 500,
  bytesPerSecond: 8_388_608,
  maxDeadLetters: 10_000,
}

/** The frame that a message came from, as Electron knows it. */
export interface BridgeSender {
  /** Of the webContents. */
  readonly id: number
  /** The renderer process of the frame, by Chromium's own number. */
  readonly processId: number
  /** The frame within its process. */
  readonly frameId: number
  /** Such as 'app://acme', 'file://' or 'http://localhost:5173'. */
  readonly origin: string
  /** The frame's whole address; it may hold what the page has put there. */
  readonly url: string
  /** False in an iframe. */
  readonly isMainFrame: boolean
}

/** A message that was refused, for counting and for the log; never with what it held. */
export interface BridgeRefusal {
  /** `not_allowed`, `bad_message` or another of metertap's codes. */
  readonly code: ErrorCode
  /** What was wrong, for the log. */
  readonly message: string
  /** Undefined when the frame was gone. */
  readonly origin: string | undefined
  /** Which window, by Electron's id of its webContents. */
  readonly webContentsId: number
}

/** Whoever sends the outbox, by account tag. */
export interface BridgeSending {
  /** Pages stored this much more. */
  stored(accountTag: string, events: number, bytes: number): void
  flush(accountTag: string, mayForce: boolean): Promise<void>
  pause(accountTag: string, reason: string): void
  resume(accountTag: string, reason: string): void
  /** The account's events were erased, or brought back. */
  changed(accountTag: string): void
}

/** What pages may do beyond recording, flushing and reading what is their account's. */
export interface BridgeRights {
  /** Stop the sending of their account, for as long as they live. Default true. */
  readonly pause: boolean
  /** Erase what waits of their account, and delete its dead letters: both are money. Default false. */
  readonly purge: boolean
}
