import en from './en.json'
import { t, type MessageKey } from './translate.ts'

/** The plain name of a picture that two people compare, to be said aloud; nothing for one this page does not know. */
export function pictureName(picture: string): string | undefined {
  const key = `picture.${picture}`
  return isKey(key) ? t(key) : undefined
}

function isKey(key: string): key is MessageKey {
  return Object.hasOwn(en, key)
}
