/**
 * Runs every subject once a round, in an order that turns with each round, after rounds that do not count.
 * What drifts on the machine meets all of them alike, and nobody is always second.
 */
export async function interleave<S extends string, T>(
  subjects: readonly S[],
  { rounds, warmUps = 0 }: { readonly rounds: number; readonly warmUps?: number },
  measure: (subject: S, round: number) => Promise<T>,
): Promise<Record<S, T[]>> {
  const results = Object.fromEntries(subjects.map((subject) => [subject, [] as T[]])) as Record<S, T[]>
  for (let round = -warmUps; round < rounds; round++) {
    const turn = Math.abs(round) % subjects.length
    for (const subject of [...subjects.slice(turn), ...subjects.slice(0, turn)]) {
      const result = await measure(subject, round)
      if (round >= 0) results[subject].push(result)
    }
  }
  return results
}

/** Runs the jobs, at most so many at a time; their results in the jobs' order. */
export async function inParallel<T, R>(jobs: readonly T[], limit: number, run: (job: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  async function worker(): Promise<void> {
    while (next < jobs.length) {
      const mine = next++
      results[mine] = await run(jobs[mine] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, jobs.length) }, worker))
  return results
}
