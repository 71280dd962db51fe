import { meterRecipe } from '../operate/meter-recipe.ts'
import type { CliHost } from './host.ts'
import { readWithoutSecrets } from './read-without-secrets.ts'

/** Prints what each meter needs in Zuora. Errors: MetertapError bad_option when the configuration does not fit. */
export async function printMeters(path: string, host: CliHost): Promise<void> {
  const { meters } = await readWithoutSecrets(path, host)
  host.writeOut(meters.map(meterRecipe).join('\n'))
}
