/**
 * What the work gives, or, when it takes longer than `limitMs`, what `late` gives. The work goes on then, and nobody
 * hears of its end.
 */
export async function within<T, L>(work: Promise<T>, limitMs: number, late: () => L | Promise<L>): Promise<T | L> {
  const { promise: isOver, resolve } = Promise.withResolvers<true>()
  const timer = setTimeout(resolve, limitMs, true)
  try {
    const first = await Promise.race([work.then((value) => ({ value })), isOver])
    if (first !== true) return first.value
    work.catch(() => {})
    return await late()
  } finally {
    clearTimeout(timer)
  }
}
