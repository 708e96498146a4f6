import { DRAWINGS, type Drawing } from './drawings.ts'

/** The drawing of a picture; nothing for one this page does not know, which its name still tells. */
export function drawingOf(picture: string): Drawing {
  const known: Readonly<Record<string, Drawing>> = DRAWINGS
  return (Object.hasOwn(known, picture) ? known[picture] : undefined) ?? []
}
