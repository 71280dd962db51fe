import type { Explanation } from './contract.ts'

/** Codes of single events: dead letters of agents and of the relay. Their neighbours went on. */
export const VERDICTS: Readonly<Record<string, Explanation>> = {
  bad_event: {
    cause: 'The entry is not [meter, at, data] or [meter, at, data, key].',
    fix: 'Send with metertap’s agent.',
  },
  bad_stream: { cause: 'The stream is no UUID in lower case.', fix: 'Send with metertap’s agent.' },
  unknown_stream: {
    cause: 'The batch has events of a stream that it does not report.',
    fix: 'Send with metertap’s agent.',
  },
  bad_sequence: { cause: 'The event’s number is none.', fix: 'Send with metertap’s agent.' },
  sequence_beyond_recorded: {
    cause: 'The event’s number is higher than its stream says were given out.',
    fix: 'Send with metertap’s agent; if it did, report it.',
  },
  too_many_gaps: {
    cause: 'The stream has more gaps than the relay keeps ranges for.',
    fix: 'Send the missing events first; agents send in order.',
  },
  unknown_meter: {
    cause: 'The relay has no meter of that name.',
    fix: 'Add it to the relay’s meters, then retryDeadLetters() in the agent.',
  },
  meter_not_allowed: {
    cause: 'The token does not name the meter.',
    fix: 'Name it in the grant (`meters`), then retryDeadLetters().',
  },
  invalid_data: {
    cause: 'The relay’s schema of the meter refused the data.',
    fix: 'Use one declaration of the meter in agent and relay.',
  },
  event_too_large: { cause: 'The event is over the relay’s maxEventBytes.', fix: 'Send a reference, or raise it.' },
  bad_time: {
    cause: 'The event’s time is no time, or none that the upstream can hold.',
    fix: 'Correct the clock or the `at` option; edit the letter and replay it.',
  },
  too_old: {
    cause: 'The event is older than maxEventAgeMs (60 days unless told otherwise).',
    fix: 'Raise the limit if the upstream still takes it, then retryDeadLetters().',
  },
  too_far_ahead: {
    cause: 'The event lies in the relay’s future by more than maxEventAheadMs.',
    fix: 'Correct the device’s clock; retry once that time has come.',
  },
  bad_idempotency_key: { cause: 'The key cannot be stored as it is.', fix: 'Use 1 to 200 printable characters.' },
  too_deep: { cause: 'The data is nested deeper than maxDepth.', fix: 'Flatten it, or raise the limit.' },
  too_many_keys: { cause: 'The data has more keys than maxKeys.', fix: 'Record less, or raise the limit.' },
  string_too_long: { cause: 'A text is longer than maxStringChars.', fix: 'Shorten it, or raise the limit.' },
  forbidden_key: {
    cause: 'A key is __proto__, constructor or prototype.',
    fix: 'Name the field otherwise: such keys are used for attacks.',
  },
  bad_data: { cause: 'The stored data is no JSON any more.', fix: 'Edit the letter and replay it.' },
  missing_field: {
    cause: 'A field that the upstream needs is not in the event.',
    fix: 'Correct `fields` in the route, or edit the letter; then replay it.',
  },
  mapping_failed: {
    cause: 'A function among the route’s `fields` threw.',
    fix: 'Mend the function, then replay the letter.',
  },
  unsupported_text: {
    cause: 'A text has a character of four UTF-8 bytes, such as an emoji, which Zuora does not take.',
    fix: 'Refuse it in the meter’s schema; edit the letter and replay it.',
  },
  unsupported_number: { cause: 'A number is not finite.', fix: 'Correct the field’s function; replay the letter.' },
  unsupported_value: {
    cause: 'A field is neither text, number, boolean nor date.',
    fix: 'Map one of its parts (`data.x.y`); replay the letter.',
  },
  too_large: {
    cause: 'The mapped event alone is over the upstream’s limit of a call.',
    fix: 'Map fewer fields, or edit the letter; replay it.',
  },
  refused: {
    cause: 'Zuora refused the event (400). The detail is its answer.',
    fix: 'Compare with the meter’s event definition (`metertap meters`); edit the letter and replay it.',
  },
  import_failed: {
    cause: 'Zuora took the event with a 200 and failed to import it later.',
    fix: 'Read the detail, edit the letter, replay it under the same id.',
  },
}
