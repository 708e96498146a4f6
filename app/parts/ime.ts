/**
 * True while the key belongs to an input method that composes a word: Enter then
 * picks a word and must not send.
 */
export function isComposing(event: KeyboardEvent): boolean {
  // Safari tells of the last key of a composition by its old code only
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return event.isComposing || event.keyCode === 229
}
