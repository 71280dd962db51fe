/** Text that can stand in a database, a log line and a header: whole characters, none of them a control character. */
export function isCleanText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= 200 &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  )
}
