import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sliceSegment, splitEvents } from '../../src/outbox/core/split-events.ts'

test('an empty body holds no event', () => {
  expect(splitEvents('')).toEqual([])
})

test.each([
  ['brackets and commas in strings', ['["m",1,{"a":"],["}]', '["m",2,"}{"]']],
  ['escaped quotes', ['["m",1,"\\""]', '["m",2,"a\\",\\"b"]']],
  ['backslashes in front of a closing quote', ['["m",1,"\\\\"]', '["m",2,"\\\\\\\\"]', '["m",3,"\\\\\\""]']],
  ['escaped unicode and surrogates', ['["m",1,"\\u0022,\\u005d"]', '["m",2,"😀,é"]']],
  ['nested arrays and objects', ['["m",1,[[1,2],{"a":[{"b":[]}]}]]', '["m",2,{}]']],
  ['whitespace, which stays', ['[ "m" , 1 , null ]', ' ["m",2,0]']],
  ['numbers in any notation', ['["m",1,1.0]', '["m",2,1e21]', '["m",3,-0.5E-3]']],
])('splits %s', (_case, texts) => {
  expect(splitEvents(texts.join(','))).toEqual(texts)
})

test('splits whatever JSON.stringify writes', () => {
  const nasty = fc.string({ unit: fc.constantFrom('"', '\\', ',', '[', ']', '{', '}', 'a', '\n', '\u2028', '😀') })
  const value = fc.oneof(fc.jsonValue(), nasty, fc.dictionary(nasty, fc.array(nasty)))
  const event = fc.tuple(nasty, fc.integer(), value).map((parts) => JSON.stringify(parts))
  fc.assert(
    fc.property(fc.array(event), (texts) => {
      expect(splitEvents(texts.join(','))).toEqual(texts)
    }),
    { numRuns: 500 },
  )
})

test('a slice has its own numbers, text and size in bytes', () => {
  const texts = ['["m",1,"a"]', '["m",2,"é😀"]', '["m",3,"c"]']
  expect(sliceSegment('s', texts, 10, 11, 12)).toEqual({
    stream: 's',
    first: 11,
    count: 2,
    bytes: 10 + 2 + 4 + 1 + 11,
    body: '["m",2,"é😀"],["m",3,"c"]',
  })
})
