import type { Format } from '../sink/contract.ts'
import { floorFormat } from '../sink/formats/floor.ts'
import { metertapFormat } from '../sink/formats/metertap.ts'

export const SUBJECTS = ['metertap', 'floor'] as const
export type AgentSubject = (typeof SUBJECTS)[number]

export const FORMATS: Readonly<Record<AgentSubject, Format>> = { metertap: metertapFormat(), floor: floorFormat }
