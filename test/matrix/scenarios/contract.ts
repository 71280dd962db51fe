import type { Stage } from '../cell/stage.ts'
import type { Moment } from '../contract.ts'

export interface Scenario {
  readonly name: string
  /** 'small': the browser's storage can be filled by a page. Default 'plain'. */
  readonly storage?: 'plain' | 'small'
  /** Moments that belong to the short form. */
  readonly quick?: readonly Moment[]
  /** Throws SkipCell where the engine cannot do it. */
  run(stage: Stage, moment: Moment): Promise<void>
}
