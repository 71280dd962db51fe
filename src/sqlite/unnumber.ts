/** SQL with plain question marks alone. */
export interface Unnumbered {
  readonly sql: string
  /** Which parameter each question mark stands for, counted from 0; undefined when they stand in order already. */
  readonly order: readonly number[] | undefined
}

/** Node 22 takes no `?1` in a list of parameters: each becomes a plain question mark, which 24 takes as well. */
export function unnumber(sql: string): Unnumbered {
  const order: number[] = []
  const plain = sql.replace(/\?(\d+)/g, (_, number: string) => {
    order.push(Number(number) - 1)
    return '?'
  })
  return { sql: plain, order: order.length > 0 ? order : undefined }
}
