/** What a page needs only when something is wrong: fetched then. */
export { answerFaults } from '../wire/answer-schema.ts'
