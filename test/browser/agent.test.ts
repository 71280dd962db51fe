import { agentContract } from '../contract/agent.ts'
import { agentHomeOfPage } from '../support/agent-home-page.ts'

agentContract(agentHomeOfPage('agent of a page'))
