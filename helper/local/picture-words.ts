import words from '../../app/i18n/en.json' with { type: 'json' }

const WORDS: Readonly<Record<string, string>> = words

/** The names of pictures that people compare, as the page says them; what has none is said as it came. */
export function pictureWords(pictures: readonly string[]): string[] {
  return pictures.map((picture) => {
    const key = `picture.${picture}`
    return (Object.hasOwn(WORDS, key) ? WORDS[key] : undefined) ?? picture
  })
}
