import { agentContract } from '../contract/agent.ts'
import { electronHome } from '../support/electron-home.ts'

agentContract(electronHome('page'))
agentContract(electronHome('worker of a page'))
