import type { ErrorCode } from '../../../wire/errors.ts'
import type { Explanation } from './contract.ts'

/** Codes of MetertapError: in `receipt.error`, in what `receipt.durable` rejects with, and in the agent's events. */
export const AGENT_ERRORS: Readonly<Record<ErrorCode, Explanation>> = {
  unknown_meter: {
    cause: 'record() was called with a meter that this agent was not given, or the relay does not know it.',
    fix: 'Pass the very object that defineMeter() made in createAgent({ meters }), and add it to the relay’s meters.',
  },
  invalid_data: {
    cause: 'The meter’s schema refused the event’s data. The message names the fields.',
    fix: 'Record what the schema asks for, or change the schema, in the agent and in the relay alike.',
  },
  async_schema: {
    cause: 'The schema is asynchronous, or one of its functions threw; record() is synchronous.',
    fix: 'Remove asynchronous refinements and transforms; look for a function in the schema that throws.',
  },
  not_json: {
    cause: 'The data holds something that JSON cannot: a BigInt, NaN, a cycle, a function, a Map.',
    fix: 'Convert it before record(): a BigInt to a number or a string, a Date is fine as it is.',
  },
  event_too_large: {
    cause: 'One event is longer than maxEventBytes (64 KiB unless told otherwise).',
    fix: 'Send a reference instead of the content. Usage events are numbers and names.',
  },
  bad_time: {
    cause: 'The option `at` is no time, lies before 1970, or is not in whole milliseconds.',
    fix: 'Give a Date, or milliseconds since 1970 (UTC) as a whole number.',
  },
  bad_idempotency_key: {
    cause: 'The key is empty, longer than 200 characters, or the meter adds events up.',
    fix: 'Give 1 to 200 characters; leave it out for meters with `aggregate`.',
  },
  outbox_full: {
    cause: 'What waits has reached maxOutboxBytes, or the disk or the browser’s quota is full.',
    fix: 'Find out why events do not leave (stats().pausedBy, lastTrouble). Raise maxOutboxBytes, or choose overflow: "drop-oldest".',
  },
  outbox_unavailable: {
    cause: 'The outbox could not be opened or written: storage is forbidden, blocked by an older tab, damaged or gone.',
    fix: 'In a browser: leave private mode, close older tabs. On Node: check the folder’s permissions and disk. Until then events are kept in memory, and receipts say so.',
  },
  closed: {
    cause: 'The agent, outbox or relay was closed before this call.',
    fix: 'Make a new one; call close() only when nothing will be recorded any more.',
  },
  paused: {
    cause: 'Sending is paused by the application.',
    fix: 'Call resume() with the reason that pause() was given.',
  },
  bad_option: {
    cause: 'An option, a meter’s declaration or the relay’s configuration cannot be used. The message names it.',
    fix: 'Change what the message names. For the relay, `metertap relay check` lists every problem at once.',
  },
  token_unavailable: {
    cause: 'The `token` option failed, gave nothing, or gave something that is no token.',
    fix: 'See that the application’s back end answers with the token alone. Events wait; the next try follows by itself.',
  },
  unauthorized: {
    cause: 'The relay refused the token, and a new one as well.',
    fix: 'Check that the grant is signed for this relay (publicUrl), with a key it knows, and that clocks agree.',
  },
  refused_by_relay: {
    cause: 'The relay, or something before it, refuses whole requests, and repeating them would not help.',
    fix: 'Read the detail and the relay’s log. Events stay in the outbox; sending goes on once it is mended.',
  },
  relay_unreachable: {
    cause: 'The relay did not answer: no network, a wrong address, a firewall, or CORS.',
    fix: 'Open the relay’s /livez from the same network; put the page’s origin into the relay’s `origins`. The next try follows by itself.',
  },
  bad_answer: {
    cause: 'Something answered that is not a relay: a captive portal, a proxy’s page, a wrong address.',
    fix: 'Check the `relay` option. Nothing is lost: the same request is sent again later.',
  },
  bridge_missing: {
    cause: 'The page of an Electron window has no way to the main process.',
    fix: 'Give the window metertap’s preload script (webPreferences.preload), or call its function from your own.',
  },
  wrong_version: {
    cause: 'Two parts of one application are of different versions of metertap.',
    fix: 'Install one version and build again: main process, preload script and pages come from the same package.',
  },
  bad_message: {
    cause: 'A window sent the main process something that an agent never sends, or too much of it.',
    fix: 'If this window runs only your code, use one version of metertap throughout; otherwise somebody is trying things.',
  },
  not_allowed: {
    cause: 'A page asked for something that it may not do, or its origin is not allowed.',
    fix: 'Add its origin in the main process if it is yours. What a page may do is the main process’s choice.',
  },
  not_loaded: {
    cause: 'The part of the agent that sends could not be loaded.',
    fix: 'See that the page may fetch your bundle’s chunks. Events are stored all the same; loading is tried again.',
  },
  internal: {
    cause: 'A defect, or a machine that fails.',
    fix: 'Look at the cause and the log, and report it. Nothing is dropped because of it.',
  },
}
