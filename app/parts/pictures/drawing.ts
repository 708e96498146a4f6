import { DRAWINGS, type Drawing } from './drawings.ts'

/** The drawing of a picture; nothing for one this page does not know, which its name still tells. */
export function drawingOf(picture: string): Drawing {
  return (Object.hasOwn(DRAWINGS, picture) ? DRAWINGS[picture] : undefined) ?? []
}
